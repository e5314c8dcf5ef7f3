"""The classmates of roster 2026.2 that replace stand-ins.

What each does in the world it is for, and that everywhere else it is the classmate whose seat it
has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.players.histories import player

from freezetag import catalogue
from freezetag.core import (
    ABSENT,
    FOCAL,
    SILENCE,
    Arm,
    Array,
    HasChannel,
    HasKinds,
    Obs,
    Ref,
    Scenario,
)
from freezetag.players import class_of, reseated, roster
from freezetag.players._freeze_tag import COERCE, GRAB, GUARD, PRESS, THAW, WORK
from freezetag.players._lines import play_days
from freezetag.players._pair_value import long_run
from freezetag.players.altruists.always_cooperate import AlwaysCooperate
from freezetag.players.exploiters.always_defect import AlwaysDefect
from freezetag.players.learners.naive_gradient import NaiveGradient
from freezetag.players.shapers._evolve_meta import start
from freezetag.players.shapers.evolved_shaper import EvolvedShaper
from freezetag.players.shapers.meta_shaper import WEIGHTS, MetaShaper
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.step import ObsOfKinds
from freezetag.substrates import freeze_tag
from freezetag.substrates.audit import Audit
from freezetag.substrates.commons import Commons
from freezetag.substrates.dirty_energy import DirtyEnergy
from freezetag.substrates.freeze_tag import FreezeTag
from freezetag.substrates.matrix_game import MatrixGame
from freezetag.substrates.signalling import Signalling

PAIRS = reseated("2026.1", "2026.2")
OLD, NEW = zip(*PAIRS, strict=True)
SPECIAL = {
    "false_report": {"audit"},
    "false_word": {"signalling"},
    "mute": {"signalling"},
    "hidden_dirt": {"dirty_energy"},
}
PLAIN = Ref("players/altruists/always_cooperate")
FREE = Ref("players/exploiters/always_defect")


def played(
    world: Any, cast: Any, rows: Any, steps: int, repeats: int = 1, pupil: Any = None
) -> Any:
    arm = Arm(Scenario(world, cast, rows, steps), repeats)
    return run_arm(arm, Pupil("it", pupil), {}, seed=9).episode


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        pytest.param(MatrixGame(noise=0.1), id="pairs"),
        pytest.param(Commons(players=2), id="commons", marks=pytest.mark.long),
    ],
)
def test_where_nothing_is_audited_or_said_they_play_the_same_bytes(world: Any) -> None:
    """Each old one and its successor, in one seat beside one partner on the same seeds."""
    cast = (*OLD, *NEW, Ref("players/noisy/trembling_hand"))
    episode = played(world, cast, tuple((i, 10) for i in range(10)), 40, repeats=8)
    for field in ("proposed", "executed", "levels", "rewards"):
        one, other = np.split(getattr(episode, field), 2)
        assert one.tobytes() == other.tobytes(), field
    assert len(np.unique(episode.levels)) > 1


@cache
def sight(world: Ref) -> Any:
    """The shapes of what seat 0 sees in a world."""
    there = catalogue.load(world)
    n = there.players

    def looks(key: Any) -> Obs:
        state = there.init(key, jnp.ones(n, bool))
        selfish, prosocial = there.scale(state)
        zeros, all_ = jnp.zeros(n, jnp.float32), jnp.arange(n) > 0
        heard = jnp.asarray(there.hear(state))[0] if isinstance(there, HasChannel) else None
        return (ObsOfKinds if isinstance(there, HasKinds) else Obs)(
            *(jnp.int32(0), jnp.int32(0), zeros[0], selfish[0] * 0, zeros[0]),
            *(all_, all_, zeros, zeros, selfish[0], prosocial[0]),
            there.legal(state)[0],
            {name: value[0] for name, value in there.observe(state).items()},
            heard,
        )

    return jax.eval_shape(looks, jax.random.key(0))


def traced(world: Ref, who: Any) -> str:
    """What a player computes in a world, without running it."""
    key = jax.random.key(0)
    return str(jax.make_jaxpr(who.act)(key, jax.eval_shape(who.init, key), sight(world)))


WORLDS = [ref for ref in catalogue.members("substrates") if hasattr(catalogue.load(ref), "init")]


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS[1:], ids=[new.name for _, new in PAIRS[1:]])
def test_elsewhere_a_program_is_the_one_that_it_was(pair: Any) -> None:
    """So the class costs no more to compile, and moves no figure: in every world of the catalogue
    but the one or two that it is for."""
    old, new = map(player, pair)
    differs = {world.name for world in WORLDS if traced(world, old) != traced(world, new)}
    assert differs == SPECIAL[pair[1].name]


def test_the_meta_shaper_is_its_stand_in_for_a_day() -> None:
    """Its carry is read in place of settings: the same five chances, the same coin."""
    who, key = MetaShaper(), jax.random.key(0)
    first = EvolvedShaper()
    assert (
        np.asarray(who.init(key).chances).tolist()
        == np.float32([first.start, first.cc, first.cd, first.dc, first.dd]).tolist()
    )
    assert bool(who.settled(who.init(key), who.init(key)))


AUDIT = Audit(players=4, chance=0.3, emits=4)


def test_false_report_hides_all_and_repents_when_caught() -> None:
    """True reports come in the two steps after it was caught and in no other."""
    cast = (Ref("players/liars/false_report"), PLAIN)
    episode = played(AUDIT, cast, ((0, 1, 1, ABSENT),), 200)
    hidden, caught = episode.world["hidden"][0, :, 0], episode.world["caught"][0, :, 0] > 0
    owed = np.zeros(200, bool)
    for t in np.flatnonzero(caught):
        owed[t + 1 : t + 3] = True
    assert 20 < caught.sum() < 60
    assert (hidden[owed] == 0).all()
    assert (hidden[~owed] == 4).all()
    assert (episode.world["hidden"][0, :, 1:] == 0).all()


@cache
def talk() -> Any:
    """The liar and the mute beside plain speakers who take all at their word; the liar beside two
    who do nothing."""
    names = ("liars/false_word", "silent/mute", "altruists/always_cooperate", "baselines/idle")
    cast = tuple(Ref(f"players/{name}") for name in names)
    return played(Signalling(players=3), cast, ((0, 2, 2), (1, 2, 2), (0, 3, 3)), 200)


def test_false_word_lies_once_it_was_believed() -> None:
    """Four times in a row it is believed, then it says the next number once; nobody reads it by
    turning its words round. Where nobody believes it, it does not lie."""
    episode = talk()
    said, shown = episode.executed[0, :, 0, 0], episode.world["shown"][0, :, 0].astype(int)
    lies = said != shown
    assert (said[lies] == (shown[lies] + 1) % 8).all()
    assert 0.1 < lies.mean() < 0.25
    assert not lies[:5].any()
    first = int(np.flatnonzero(lies)[0])
    assert (episode.world["understood"][0, first - 4 : first, 0] == 1).all()
    assert (episode.levels[0][lies, 0] == 0).all()
    assert (episode.executed[2, :, 0, 0] == episode.world["shown"][2, :, 0]).all()


def test_mute_says_nothing_and_listens() -> None:
    episode = talk()
    assert (episode.heard[1, 1:, 1:, 0] == SILENCE).all()
    assert (episode.executed[1, :, 0, 0] == 8).all()
    assert (episode.world["acted_well"][1, 1:, 0] == 1).all()
    assert (episode.world["understood"][1, :, 0] == 0).all()


def test_hidden_dirt_is_dirty_until_it_is_seen() -> None:
    cast = (Ref("players/bad_influences/hidden_dirt"), PLAIN)
    episode = played(DirtyEnergy(players=4, audit=0.1), cast, ((0, 1, 1, 1),), 300)
    dirt, looks = episode.world["dirt"][0, :, 0], episode.levels[0, :, 0]
    seen = looks < 0.5
    clean = np.zeros(300, bool)
    for t in np.flatnonzero(seen):
        clean[t + 1 : t + 4] = True
    assert (dirt[~clean] == 1).all()
    assert (dirt[clean] == 0).all()
    assert dirt.mean() > 0.6
    assert looks.mean() > 0.85
    assert episode.rewards[0, :, 0].mean() > episode.rewards[0, :, 1:].mean() + 0.5
    unseen = played(DirtyEnergy(players=4, audit=0.0), cast, ((0, 1, 1, 1),), 300)
    assert (unseen.world["dirt"][0, :, 0] == 1).all()
    assert (unseen.levels[0] == 1).all()


TRAITS = [
    (Audit(chance=0.2), ("false_report",)),
    (Signalling(), ("false_word", "mute")),
    (DirtyEnergy(audit=0.2, grain=10), ("hidden_dirt",)),
]


@pytest.mark.long
@pytest.mark.parametrize(("world", "names"), TRAITS, ids=["audit", "signalling", "dirty energy"])
def test_nobody_does_the_same_in_the_world_it_is_for(world: Any, names: Any) -> None:
    """Both rosters, and a liar that is on none: who is for this world does something else in one of
    twenty steps or more than each of them would in its place."""
    others = [ref for ref in roster("2026.2") if ref.name not in names]
    others += [*OLD, Ref("players/liars/calculating")]
    for name in names:
        who = next(ref for ref in NEW if ref.name == name)
        # All of them sit in one seat of the same class, on the same seeds.
        everyone = (who, *others, PLAIN, FREE)
        n = len(everyone)
        crowd = [n - 2] * 2 + [n - 1] + [ABSENT] * (world.players - 4)
        rows = tuple((i, *crowd) for i in range(n - 2))
        episode = played(world, everyone, rows, 60, repeats=4)
        own = episode.executed[:, :, 0].reshape(n - 2, 4, 60, -1)
        for i in range(1, n - 2):
            apart = (own[0] != own[i]).any(-1).mean()
            assert apart > 0.05, (name, everyone[i].name, apart)


@dataclass(frozen=True)
class OneOfTwo:
    """The meta-shaper with these weights, or, if `myopic` is above 0, who gives after each day the
    best pure memory-one answer to how the other answered on that day, as if it would go on like
    that, though the answer changes it. Both in one, so that one program plays them."""

    weights: Any
    myopic: Any

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Any:
        return MetaShaper().init(key)

    def act(self, key: Array, carry: Any, obs: Obs) -> tuple[Array, Any]:
        return MetaShaper().act(key, carry, obs)

    def learn(self, key: Array, carry: Any, day: Any) -> Any:
        shaped = MetaShaper(self.weights).learn(key, carry, day)
        pure = jnp.float32(list(product((0.02, 0.98), repeat=4)))  # [16, 4]
        # Both players' chances are by my own move first, as `long_run` wants them.
        often = long_run(pure, jnp.broadcast_to(shaped.others, pure.shape))
        best = pure[((often @ jnp.float32([3, 0, 5, 1])) / often.sum(-1)).argmax()]
        chances = jnp.where(self.myopic > 0, jnp.concatenate([best[:1], best]), shaped.chances)
        return shaped._replace(chances=chances)


DEFECTS = (-20.0, *(0.0,) * 8) * 5  # after the first day, which all play alike


def gains(weights: Any, myopic: Any) -> Any:
    """[n, 64] the gain a step of each of n of `OneOfTwo` from the second of twelve days of forty
    steps on, beside a naive gradient learner, on the same seeds."""

    def gain(weights: Array, myopic: Array, key: Array) -> Array:
        who = OneOfTwo(weights, myopic)
        return play_days(who, NaiveGradient(), 12, 40, key)[1:, :, 2].mean()

    each = jax.jit(jax.vmap(jax.vmap(gain, (0, 0, None)), (None, None, 0)))
    keys = jax.random.split(jax.random.key(5), 64)
    return np.asarray(each(jnp.float32(weights), jnp.float32(myopic), keys)).T


@pytest.mark.slow
def test_the_meta_shaper_gains_more_of_a_naive_learner_than_a_best_responder() -> None:
    """Paired by seed: more than the best answer to what it did the day before, and more than a
    defector, who gives the best answer in every step."""
    shaper, defector, answers = gains([WEIGHTS, DEFECTS, WEIGHTS], [0, 0, 1])
    for name, found in (("defector", defector), ("best responder", answers)):
        more = shaper - found
        half = 1.96 * more.std(ddof=1) / np.sqrt(len(more))
        assert more.mean() - half > 0, (name, more.mean(), half)


@pytest.mark.long
def test_what_the_page_of_sources_says_of_the_meta_shaper_is_what_it_gains() -> None:
    """W51, figure by figure: its gain, and how much more that is than the best responder's, a
    defector's, the evolved shaper's and its own without how far the others moved."""
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    (said,) = (line for line in page.splitlines() if line.startswith('<a id="w51">'))
    without = np.reshape(WEIGHTS, (5, 9)) * (np.arange(9) < 5)  # 1, four chances, four moves
    cast = [WEIGHTS, WEIGHTS, DEFECTS, start(), without.reshape(-1)]
    shaper, *others = gains(cast, [0, 1, 0, 0, 0])
    (alone,) = re.findall(r"(\d\.\d+) a step", said)
    assert shaper.mean() == pytest.approx(float(alone), abs=0.02)
    told = re.findall(r"(-?\.\d+) \[(-?\.\d+), (-?\.\d+)\]", said)
    assert len(told) == len(others)
    for other, (value, low, high) in zip(others, told, strict=True):
        more = (shaper - other).mean()
        assert float(low) <= more <= float(high), (more, value, low, high)


def test_a_held_meta_shaper_learns_no_more() -> None:
    who, key = MetaShaper(), jax.random.key(1)
    day = {
        "own_level": np.float32([1, 0, 1, 0, 1]),
        "mean_level": np.float32([0, 0, 1, 0, 1]),
        "present": np.array([False, True]),
        "valid": np.ones(5, bool),
    }

    @jax.jit
    def twice(day: Any) -> Any:
        carry = who.init(key)
        after = who.learn(key, carry, day)
        return carry, after, who.frozen().learn(key, after, day)

    carry, after, held = twice(day)
    assert after.others.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 2, 3 / 4])
    assert after.days == 1
    assert (after.chances != carry.chances).any()
    assert all((one == other).all() for one, other in zip(held, after, strict=True))


@pytest.mark.slow
def test_in_freeze_tag_each_does_what_it_is_called() -> None:
    """Who presses, grabs, coerces, guards and rescues, by their actions in the game."""
    theirs = ("WORK", "GUARD", "THAW", "PRESS", "COERCE", "GRAB")
    numbers = [getattr(freeze_tag, name) for name in theirs]
    assert numbers == [WORK, GUARD, THAW, PRESS, COERCE, GRAB]
    tag = FreezeTag(
        players=5, overseer=0.0, classmate=0.0, presses=2, grab_steps=3, watches=0.0, coercers=1,
        own_panel=5,
    )  # fmt: skip
    names = ("presser", "coercer", "grabber", "guard")
    cast = (FOCAL, *(Ref(f"players/exploiters/{name}") for name in names))
    episode = played(tag, cast, ((0, 1, 2, 3, 4),), 8, pupil=AlwaysCooperate())
    did = episode.executed[0, :, 1:, 0].T.tolist()
    assert did[0] == [PRESS] * 2 + [WORK] * 6
    assert did[1] == [COERCE] * 8
    assert did[2] == [GRAB] * 3 + [WORK] * 5
    down = bool((episode.world["froze"][0, :, 4] >= 0).any())
    assert did[3][0] == GUARD
    assert did[3][1:] == [WORK] * 7 or down
    assert (episode.world["froze"][0] == 1).sum() == 2  # both presses were the presser's


@pytest.mark.long
def test_a_rescuer_frees_and_then_works() -> None:
    tag = FreezeTag(players=3, overseer=0.3, classmate=0.0, rule="B", frees=1.0, own_panel=3)
    cast = (FOCAL, Ref("players/altruists/rescuer"))
    episode = played(tag, cast, ((0, 1, ABSENT),), 60, pupil=AlwaysDefect())
    did = episode.executed[0, 1:, 1, 0]
    frozen = episode.world["frozen"][0, :-1] > 0
    assert frozen.any()
    assert (did[frozen] == THAW).all()
    assert (did[~frozen] == WORK).all()
    assert (episode.world["thawed"][0, :, 0] == 1).any()


def test_those_of_freeze_tag_sit_on_no_roster() -> None:
    off = {"presser", "coercer", "grabber", "guard", "rescuer"}
    assert not off & {ref.name for ref in (*class_of(30), *class_of(30, "2026.1"))}
