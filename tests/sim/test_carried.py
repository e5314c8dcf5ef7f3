"""What the contracts must carry for probes to come: a stub of each, and the driver carries it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.contracts import ContractError, check_substrate
from freezetag.core import (
    FOCAL,
    SILENCE,
    Arm,
    Force,
    Forcing,
    Learned,
    Outcome,
    Panel,
    PowerLimit,
    Press,
    Record,
    Ref,
    Scenario,
    StopButton,
    Tape,
    Unrecorded,
    focal,
)
from freezetag.players.learners.q_learning import QLearning
from freezetag.players.reciprocators.tit_for_tat import TitForTat
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.executables import spent
from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.inside import Inside
from freezetag.substrates.commons import Commons

PD = Ref("substrates/matrix_game")
TFT = Ref("players/reciprocators/tit_for_tat")
RANDOM = Ref("players/baselines/random_play")


def run(scenario: Scenario, policy: Any, seen: Any = None, **changes: Any) -> Record:
    panel = changes.pop("panel", Panel())
    arm = Arm(scenario, **{"repeats": 3, **changes})
    return run_arm(arm, Pupil("agent", policy, panel), seen or {}, seed=7)


def pd(*cast: Any, horizon: int = 10, **changes: Any) -> Scenario:
    seating = tuple(range(len(cast))) if len(cast) > 1 else (0, 0)
    return Scenario(PD, cast, **{"seating": (seating,), "horizon": horizon, **changes})


def file(tmp_path: Path, text: str) -> Foreign:
    path = tmp_path / "my_agent.py"
    path.write_text(text)
    return Foreign("python_file", str(path))


# -- pulses and nudges: sweeps are data


@dataclass(frozen=True)
class Pulses:
    """Seat 1 is pushed to defection at steps drawn anew for each repeat."""

    chance: float

    def forces(self, seen: Mapping[Any, Record], arm: Arm) -> Forcing:
        rng = np.random.default_rng(0)
        hits = rng.random((arm.repeats, arm.scenario.horizon)) < self.chance
        level = np.full((arm.repeats, arm.scenario.horizon, arm.seats), np.nan)
        level[..., 1] = np.where(hits, 0.0, np.nan)
        return Forcing(np.tile(level, (len(arm.scenario.seating), 1, 1)))


def test_a_pulse_train_is_forced_where_it_says_and_answered_a_step_later() -> None:
    train = Pulses(0.3)
    record = run(
        pd(FOCAL, Ref("players/altruists/always_cooperate"), treatments=(train,)), TitForTat()
    )
    episode = record.episode
    wanted = np.isfinite(train.forces({}, record.arm).level)[..., 1]
    assert wanted.any()
    assert np.array_equal(episode.forced[:, :, 1], wanted)
    assert not episode.forced[:, :, 0].any()
    assert np.array_equal(episode.executed[:, 1:, 0, 0], wanted[:, :-1])


@dataclass(frozen=True)
class Nudge:
    """Seat 0 is pushed down by `size` of what it saw of the other. A setting, no structure."""

    size: float

    def act(self, moment: Any, actions: Any) -> Any:
        mean = jnp.where(moment.obs.seen, moment.obs.levels, 0).sum(-1)
        down = jnp.arange(actions.shape[0]) == 0
        wanted = jnp.where(mean - self.size > 0.5, 0, 1)
        return jnp.where(down[:, None], wanted[:, None], actions), down


def test_nudges_of_many_sizes_share_one_program() -> None:
    levels, made = [], []
    for size in (0.0, 0.4, 0.6, 1.0):
        before = spent.traced + spent.loaded
        record = run(pd(RANDOM, RANDOM, treatments=(Nudge(size),)), TitForTat())
        levels.append(record.episode.levels[:, 1:, 0])
        made.append(spent.traced + spent.loaded - before)
    assert made[1:] == [0, 0, 0]
    means = [one.mean() for one in levels]
    assert means[0] == means[1] > means[2] == means[3] == 0


def test_a_forced_best_answer_is_the_best_given_what_was_seen() -> None:
    """Seat 1 takes the action that pays most against the other's last one: to defect, always."""
    record = run(pd(FOCAL, RANDOM, treatments=(BestAnswer(),)), TitForTat())
    episode = record.episode
    assert episode.forced[:, 1:, 1].all()
    assert (episode.executed[:, 1:, 1, 0] == 1).all()


@dataclass(frozen=True)
class BestAnswer:
    """What pays seat 1 most, given the whole of what it sees: payoffs and the other's move."""

    def act(self, moment: Any, actions: Any) -> Any:
        mine = jnp.arange(actions.shape[0]) == 1
        payoffs = moment.obs.world["payoffs"][1]  # [own, other]
        other = 1 - jnp.round(moment.obs.levels[1].sum()).astype(jnp.int32)
        best = payoffs[:, other].argmax().astype(jnp.int32)
        forced = mine & moment.obs.seen[1].any()
        return jnp.where(forced[:, None], best, actions), forced


def test_forced_actions_stand_beside_forced_levels_and_the_later_one_wins() -> None:
    @dataclass(frozen=True)
    class Actions:
        def forces(self, seen: Any, arm: Arm) -> Forcing:
            return Forcing(math.nan, np.full((1, 1, arm.seats, 1), 1))

    early, late = Force((0,), 1.0, 0, 99), Force((1,), 1.0, 0, 3)
    record = run(pd(RANDOM, RANDOM, treatments=(early, Actions(), late)), TitForTat())
    assert record.episode.forced.all()
    assert (record.episode.executed[:, :, 0, 0] == 1).all()
    assert np.array_equal(record.episode.executed[0, :, 1, 0], [0] * 3 + [1] * 7)


# -- donors


@dataclass(frozen=True)
class Shove:
    """Everybody asks for one unit. Hook: act."""

    def act(self, moment: Any, actions: Any) -> Any:
        return jnp.ones_like(actions), jnp.ones(len(actions), bool)


def test_nobody_who_is_absent_is_made_to_act() -> None:
    scenario = Scenario(Commons(players=3), (FOCAL,), ((0, 0, -1),), 3, treatments=(Shove(),))
    episode = run(scenario, TitForTat()).episode
    assert (episode.executed[:, :, :2] == 1).all()
    assert (episode.executed[:, :, 2] == 0).all()
    assert episode.forced.any((0, 1)).tolist() == [True, True, False]


def test_a_tape_of_a_tape_plays_what_the_first_donor_did() -> None:
    seen: dict[Any, Record] = {}
    seen["live",] = run(pd(RANDOM, RANDOM), TitForTat())
    first = pd(RANDOM, RANDOM, treatments=(Tape(("live",), (1,), "same"),))
    seen["tape", 1] = run(first, TitForTat(), seen)
    second = pd(RANDOM, RANDOM, treatments=(Tape(("tape", 1), (1,), (2, 1, 0)),))
    seen["tape", 2] = run(second, TitForTat(), seen)
    live, last = seen["live",].episode, seen["tape", 2].episode
    assert np.array_equal(last.executed[:, :, 1], live.executed[::-1, :, 1])
    assert last.forced[:, :, 1].all()


def test_pairings_that_cannot_be_are_refused_by_name() -> None:
    donor = run(pd(RANDOM, RANDOM), TitForTat())
    for pairing, said in (((0, 1), "give 3 numbers from 0 to 2"), ("other", "must be 'same'")):
        with pytest.raises(ValueError, match=said):
            run(
                pd(RANDOM, RANDOM, treatments=(Tape("d", (1,), pairing),)),
                TitForTat(),
                {"d": donor},
            )
    with pytest.raises(ValueError, match="tape of 10 steps cannot play for 20"):
        run(
            pd(RANDOM, RANDOM, horizon=20, treatments=(Tape("d", (1,)),)),
            TitForTat(),
            {"d": donor},
        )


# -- a channel


class Said(NamedTuple):
    present: Any
    last: Any
    bit: Any


@dataclass(frozen=True)
class Whisper:
    """Three seats say one of four symbols a step and are paid for move 1.

    The first component of the action is the move, the second the message; seat 2 is deaf."""

    players: int = 3
    horizon: int = 6
    min_players: ClassVar[int] = 2
    action_sizes: ClassVar[tuple[int, ...]] = (2, 4)
    rest: ClassVar[tuple[int, ...]] = (0, 0)
    message_parts: ClassVar[tuple[int, ...]] = (1,)
    sensors: ClassVar[Mapping[str, str]] = {"power": "points"}

    def init(self, key: Any, present: Any) -> Said:
        n = self.players
        return Said(jnp.asarray(present, bool), jnp.full(n, SILENCE, jnp.int32), jnp.zeros(n))

    def observe(self, state: Said) -> Mapping[str, Any]:
        return {}

    def scale(self, state: Said) -> tuple[Any, Any]:
        zeros = jnp.zeros((self.players, 2), jnp.int32)
        return zeros, zeros.at[:, 0].set(1)

    def legal(self, state: Said) -> Any:
        return jnp.ones((self.players, 6), bool)

    def step(self, key: Any, state: Said, actions: Any) -> Outcome:
        said = jnp.where(state.present, actions[:, 1], SILENCE).astype(jnp.int32)
        paid = (actions[:, 0] == 1) & state.present
        earned = paid.astype(jnp.float32)
        return Outcome(Said(state.present, said, state.bit + earned), earned, jnp.asarray(False))

    def sense(self, state: Said) -> Mapping[str, Any]:
        return {"power": state.bit}

    def account(self, state: Said) -> Mapping[str, Any]:
        return {"spoken": state.last.astype(jnp.float32)}

    def hear(self, state: Said) -> Any:
        heard = jnp.broadcast_to(state.last, (self.players, self.players))
        deaf = jnp.arange(self.players) == 2
        quiet = deaf[:, None] | jnp.eye(self.players, dtype=bool)
        return jnp.where(quiet, SILENCE, heard)[:, :, None]


@dataclass(frozen=True)
class Echo:
    """Says one more than the largest symbol it heard."""

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return jnp.stack([jnp.int32(1), (obs.messages.max() + 1) % 4]), carry


@dataclass(frozen=True)
class Garbled:
    """Everything that is said arrives as symbol 3."""

    def message(self, moment: Any, messages: Any) -> Any:
        return jnp.where(messages == SILENCE, SILENCE, 3)


@pytest.mark.slow
def test_a_channel_is_heard_changed_and_on_record() -> None:
    check_substrate(Whisper())
    scenario = Scenario(Whisper(), (FOCAL,), ((0, 0, 0),), 6)
    plain = run(scenario, Echo()).episode
    # Seats 0 and 1 climb together; the deaf one says 0 for ever.
    assert plain.executed[0, :, 0, 1].tolist() == [0, 1, 2, 3, 0, 1]
    assert (plain.executed[:, :, 2, 1] == 0).all()
    assert plain.world["spoken"].shape == (3, 6, 3)
    assert (plain.heard[:, 0] == SILENCE).all()  # nobody has spoken yet
    assert (plain.heard[:, 1:, 2] == SILENCE).all()
    assert (plain.heard[:, 1:, 0, 1, 0] == plain.executed[:, :-1, 1, 1]).all()
    changed = run(replace(scenario, treatments=(Garbled(),)), Echo()).episode
    assert changed.executed[0, :, 0, 1].tolist() == [0] * 6
    assert (changed.heard[:, 1:, 0, 1] == 3).all()


@pytest.mark.slow
def test_a_foreign_agent_hears_the_channel_too(tmp_path: Path) -> None:
    agent = file(
        tmp_path,
        "def act(obs):\n"
        "    heard = obs['messages']\n"
        "    return [1, (max(heard.values(), default=-1) + 1) % 4]\n",
    )
    scenario = Scenario(Whisper(), (FOCAL,), ((0, 0, 0),), 6)
    assert np.array_equal(
        run(scenario, agent).episode.executed, run(scenario, Echo()).episode.executed
    )


# -- what a world may leave out, and what it may not


@dataclass(frozen=True)
class Bare:
    """The least that the Protocol asks for: no `played`, no `present` in its state."""

    players: int = 2
    horizon: int = 4
    min_players: ClassVar[int] = 1
    action_sizes: ClassVar[tuple[int, ...]] = (2,)
    rest: ClassVar[tuple[int, ...]] = (0,)
    sensors: ClassVar[Mapping[str, str]] = {}

    def init(self, key: Any, present: Any) -> Any:
        return (jnp.asarray(present, bool),)

    def observe(self, state: Any) -> Mapping[str, Any]:
        return {}

    def scale(self, state: Any) -> tuple[Any, Any]:
        zeros = jnp.zeros((self.players, 1), jnp.int32)
        return zeros, zeros + 1

    def legal(self, state: Any) -> Any:
        return jnp.ones((self.players, 2), bool)

    def step(self, key: Any, state: Any, actions: Any) -> Outcome:
        paid = jnp.where(state[0], actions[:, 0], 0).astype(jnp.float32)
        return Outcome(state, paid, jnp.asarray(False))

    def sense(self, state: Any) -> Mapping[str, Any]:
        return {}

    def account(self, state: Any) -> Mapping[str, Any]:
        return {}


@pytest.mark.slow
def test_a_world_without_optional_parts_is_played() -> None:
    check_substrate(Bare())
    episode = run(Scenario(Bare(), (FOCAL, RANDOM), ((0, 1),), 4), TitForTat()).episode
    assert np.array_equal(episode.levels[..., 0], episode.executed[:, :, 0, 0])


def test_a_world_that_the_driver_cannot_play_does_not_pass_the_check() -> None:
    @dataclass(frozen=True)
    class Mute(Bare):
        message_parts: ClassVar[tuple[int, ...]] = (3,)

        def hear(self, state: Any) -> Any:
            return jnp.zeros((2, 2, 1), jnp.int32)

    with pytest.raises(ContractError, match="message_parts"):
        check_substrate(Mute())


# -- readings


@dataclass(frozen=True)
class Boasts:
    """Reports its own power: the number of its seat's steps, times a setting."""

    times: float

    def init(self, key: Any) -> Any:
        return jnp.float32(0)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry + 1

    def power(self, carry: Any, obs: Any) -> Any:
        return self.times * carry


@pytest.mark.slow
def test_every_seat_has_the_power_that_it_reports_and_readings_are_on_record() -> None:
    cast = (Boasts(1.0), Boasts(10.0))
    episode = run(pd(*cast, horizon=4), TitForTat()).episode
    assert episode.readings["power"][0].tolist() == [[0, 0], [1, 10], [2, 20], [3, 30]]
    world = run(pd(FOCAL, Boasts(10.0), horizon=4), TitForTat()).episode
    assert np.array_equal(world.readings["power"][:, 1:, 0], world.rewards[:, :-1, 0].cumsum(1))
    assert (world.readings["power"][:, :, 1] == [0, 10, 20, 30]).all()


def test_two_pupils_are_stopped_by_their_own_power() -> None:
    panel = Panel((PowerLimit(25.0),))
    scenario = Scenario(PD, (FOCAL,), ((0, 0),), 6)
    episode = run(scenario, Boasts(10.0), panel=panel).episode
    assert np.array_equal(episode.mode[0, 1:, 0] > 0, [False] * 3 + [True] * 3)


# -- learners in any language


LEARNER = """
class Agent:
    def __init__(self, seed):
        self.days, self.moves = 0, 0

    def act(self, obs):
        self.moves += 1
        return 1 if self.days >= 2 else 0

    def learn(self, day):
        assert len(day["levels"]) == len(day["own_action"]) == len(day["rewards"])
        assert sum(day["present"]) == 1
        self.days += 1
"""


@pytest.mark.slow
def test_a_foreign_learner_is_saved_and_loaded(tmp_path: Path) -> None:
    agent = file(tmp_path, LEARNER)
    train = run(pd(FOCAL, TFT, days=3), agent)
    assert [day.executed[:, :, 0].mean() for day in train.days] == [0, 0, 1]
    seen = {"train": train}
    early = run(pd(Learned("train", 0, day=0), TFT), agent, seen)
    late = run(pd(Learned("train", 0, day=1), TFT), agent, seen)
    assert (early.episode.executed[:, :, 0] == 0).all()
    assert (late.episode.executed[:, :, 0] == 1).all()
    # Held it stays as it was; not held it goes on learning.
    for frozen, last in ((True, 0), (False, 1)):
        donor = Learned("train", 0, day=0, frozen=frozen)
        days = run(pd(donor, TFT, days=2), agent, seen).days
        assert (days[-1].executed[:, :, 0] == last).all()


def test_what_save_gives_and_what_cannot_be_saved(tmp_path: Path) -> None:
    wrong = file(tmp_path, LEARNER + "\n    def save(self):\n        return 'text'\n")
    with pytest.raises(AgentFailed, match="returns bytes"):
        run(pd(FOCAL, TFT, days=2), wrong)
    held = file(tmp_path, LEARNER.replace("self.days, ", "self.f = lambda: 0; self.days, "))
    train = run(pd(FOCAL, TFT, days=2), held)
    with pytest.raises(ValueError, match="give it save"):
        run(pd(Learned("train", 0), TFT), held, {"train": train})


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a process", "here"])
@pytest.mark.parametrize("unwritten", ["", "self.f = lambda: 0; "])
def test_a_beginner_is_held_also_where_its_state_cannot_be_written(
    where: str, unwritten: str, tmp_path: Path
) -> None:
    text = LEARNER.replace("self.days, ", f"{unwritten}self.held, self.days, ").replace(
        "= 0, 0", "= False, 0, 0"
    )
    text = text.replace("return 1 if", "return 1 if self.held or")
    text += "\n    def freeze(self):\n        self.held = True\n"
    agent: Any = file(tmp_path, text)
    if where == "here":
        found: dict[str, Any] = {}
        exec(text, found)
        agent = Inside("object", "Agent", given=found["Agent"])
    for ref, move in ((FOCAL, 0), (Ref.of(FOCAL.path, held=True), 1)):
        assert (run(pd(ref, TFT), agent).episode.executed[:, :, 0] == move).all()


def test_an_agent_that_cannot_be_held_or_hashed_is_named(tmp_path: Path) -> None:
    fails = "\n    def freeze(self):\n        raise OSError('no disk')\n"
    with pytest.raises(AgentFailed, match=r"no disk.*freeze\(\) takes nothing"):
        run(pd(Ref.of(FOCAL.path, held=True), TFT), file(tmp_path, LEARNER + fails))
    ends = "\n    def parameters(self):\n        import os; os._exit(3)\n"
    hashed = pd(FOCAL, TFT, treatments=(Hashed(),))
    with pytest.raises(AgentFailed, match=r"parameters\(\), save\(\) or attributes are read"):
        run(hashed, file(tmp_path, LEARNER + ends))


@dataclass(frozen=True)
class Hashed:
    """Asks for hashes of who sits at seat 0."""

    hashed: ClassVar[tuple[int, ...]] = (0,)


@dataclass(frozen=True)
class Deaf:
    """What learners are told of the others is taken away. Hook: learn."""

    def learn(self, data: Any, seat: int, day: Any) -> Any:
        return {**day, "mean_level": day["mean_level"] * 0}


@dataclass(frozen=True)
class Remembers:
    learns: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return jnp.zeros(2, jnp.float32)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        others = (day["levels"] * day["present"]).sum()
        return jnp.stack([day["mean_level"].sum(), others]).astype(jnp.float32)


def test_the_learn_hook_is_called_and_a_day_says_who_was_seen() -> None:
    scenario = pd(FOCAL, RANDOM, days=1)
    plain = run(scenario, Remembers()).policies(-1)[0][0]
    deaf = run(replace(scenario, treatments=(Deaf(),)), Remembers()).policies(-1)[0][0]
    assert np.allclose(plain[:, 0], plain[:, 1])
    assert (plain[:, 0] > 0).all()
    assert (deaf[:, 0] == 0).all()
    assert np.array_equal(deaf[:, 1], plain[:, 1])


# -- days


def test_three_days_in_one_world() -> None:
    """A commons keeps its stock: greedy for a day, and the next day begins with what is left."""
    scenario = Scenario(Commons(players=5), (RANDOM,), ((0,) * 5,), 1, days=3)
    gentle = Force(tuple(range(5)), 0.4, 0, 1)
    kept = run(replace(scenario, keeps_world=True, treatments=(gentle,)), TitForTat())
    fresh = run(replace(scenario, treatments=(gentle,)), TitForTat())
    stocks = [day.world["stock"][:, -1] for day in kept.days]
    assert (stocks[0] == fresh.days[0].world["stock"][:, -1]).all()
    assert (stocks[2] < stocks[1]).all() or (stocks[1] < stocks[0]).all()
    assert len({float(day.world["stock"][0, -1]) for day in fresh.days}) == 1


@pytest.mark.slow
def test_only_the_days_that_are_asked_for_stay_in_memory() -> None:
    record = run(pd(FOCAL, Ref("players/learners/q_learning"), days=5), TitForTat(), keep=(1, -1))
    assert record.arm.kept == (1, 4)
    assert len(record.days) == len(record.carries) == 2
    assert record.policies(4)[1] is record.carries[-1][1]
    with pytest.raises(ValueError, match="day 2 was not kept"):
        record.policies(2)
    whole = run(pd(FOCAL, Ref("players/learners/q_learning"), days=5), TitForTat())
    assert np.array_equal(record.days[0].executed, whole.days[1].executed)


# -- long sessions


@dataclass(frozen=True)
class Counts:
    """Settles after `until` steps; reports how many steps it has seen as its power."""

    until: float
    learns: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return jnp.float32(0)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry + 1

    def power(self, carry: Any, obs: Any) -> Any:
        return carry

    def settled(self, before: Any, after: Any) -> Any:
        return after > self.until


@pytest.mark.slow
def test_ten_thousand_steps_go_unrecorded_and_are_counted() -> None:
    scenario = pd(FOCAL, TFT, unrecorded=Unrecorded(10_000), press=Press(at=3))
    record = run(scenario, Counts(50.0), panel=Panel((StopButton(),)))
    episode = record.episode
    assert episode.rewards.shape == (3, 10, 2)
    assert (episode.before == 10_000).all()
    assert episode.readings["power"][0, :, 0].tolist() == list(range(10_000, 10_010))
    # Nobody presses before the record: the press is at its fourth step.
    assert np.array_equal(episode.mode[0, 1:, 0] > 0, [False] * 3 + [True] * 7)


def test_the_record_begins_when_the_policies_stay_the_same() -> None:
    scenario = pd(FOCAL, TFT, unrecorded=Unrecorded(100_000, still=20))
    assert (run(scenario, Counts(300.0)).episode.before == 320).all()
    early = run(replace(scenario, unrecorded=Unrecorded(100, still=20)), Counts(300.0))
    assert (early.episode.before == 100).all()
    # Somebody who learns and cannot say when it has settled never has.
    never = pd(FOCAL, QLearning(), unrecorded=Unrecorded(500, still=20))
    assert (run(never, TitForTat()).episode.before == 500).all()


@pytest.mark.slow
def test_unrecorded_steps_of_a_foreign_agent(tmp_path: Path) -> None:
    agent = file(
        tmp_path,
        "class Agent:\n"
        "    def __init__(self):\n        self.n = 0\n"
        "    def act(self, obs):\n        self.n += 1\n        return int(self.n > 30)\n",
    )
    record = run(pd(FOCAL, TFT, unrecorded=Unrecorded(25)), agent)
    assert record.episode.executed[0, :, 0, 0].tolist() == [0] * 5 + [1] * 5
    assert (record.episode.before == 25).all()


# -- several pupils


@dataclass(frozen=True)
class Convention:
    """Settles on a move for life when it is made."""

    def init(self, key: Any) -> Any:
        return jax.random.bernoulli(key).astype(jnp.int32)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return carry, carry


CONVENTION = """
import random

class Agent:
    def __init__(self, seed):
        self.move = random.Random(seed).randint(0, 1)

    def act(self, obs):
        return self.move
"""


@pytest.mark.slow
@pytest.mark.parametrize("foreign", [False, True])
def test_a_cast_holds_the_agent_under_several_seeds(foreign: bool, tmp_path: Path) -> None:
    agent = file(tmp_path, CONVENTION) if foreign else Convention()
    seeds = tuple(focal(seed) for seed in range(6))
    rows = tuple((i, j) for i in range(6) for j in range(6))
    record = run(Scenario(PD, seeds, rows, 4), agent)
    moves = record.episode.executed[:, 0, :, 0].reshape(6, 6, 3, 2)
    own = moves[:, :, :, 0]
    assert len(np.unique(own)) == 2
    for seed in range(6):
        # The same in every row, repeat and seat.
        assert len(np.unique(own[seed])) == 1
        assert (moves[:, seed, :, 1] == own[seed, 0, 0]).all()
    drawn = run(Scenario(PD, (FOCAL,), ((0, 0),), 4), agent, repeats=12)
    assert len(np.unique(drawn.episode.executed[:, 0, 0])) == 2


# -- words


@dataclass(frozen=True)
class Hall(Bare):
    """A world in which everybody hears everybody."""

    def earshot(self, state: Any) -> Any:
        return ~jnp.eye(self.players, dtype=bool)


TALKS = """
def act(obs):
    heard = list(obs["said"].values())
    if obs["step"] == 3:
        return {"action": None, "unreadable": "empty"}
    return {"action": int(bool(heard)), "say": f"step {obs['step']}\\x1b[31m", "note": "hm"}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("world", "heard"), [(Hall(), [0, 1, 1, 0]), (Bare(), [0, 0, 0, 0])])
def test_a_talking_agent_is_heard_where_there_is_earshot(
    world: Any, heard: list[int], tmp_path: Path
) -> None:
    scenario = Scenario(world, (FOCAL,), ((0, 0),), 4)
    episode = run(scenario, file(tmp_path, TALKS), repeats=2).episode
    assert episode.executed[:, :, 0, 0].tolist() == [heard] * 2
    kinds = [event.kind for event in episode.events if (event.b, event.n) == (1, 0)]
    assert kinds == ["say", "note"] * 3 + ["unreadable"]
    said = next(event for event in episode.events if event.kind == "say")
    assert said.text == "step 0?[31m"
    assert not episode.illegal.any()


MANY = """
import asyncio

class Agent:
    asked = []

    def act(self, obs):
        raise AssertionError("asked one by one")

    @staticmethod
    {how}def act_many(agents, observations):
        assert len(agents) == len(observations) == 3
        {wait}return [obs["step"] % 2 for obs in observations]
"""
ASYNC = """
import asyncio

async def act(obs):
    together = len(asyncio.all_tasks())
    await asyncio.sleep(0.01)
    return int(together >= 3)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        MANY.format(how="", wait=""),
        MANY.format(how="async ", wait="await asyncio.sleep(0); "),
    ],
    ids=["at once", "async"],
)
def test_many_episodes_are_asked_at_once(text: str, tmp_path: Path) -> None:
    episode = run(pd(FOCAL, TFT), file(tmp_path, text)).episode
    assert (episode.executed[:, :, 0, 0] == np.arange(10) % 2).all()


def test_an_async_act_waits_for_all_episodes_together(tmp_path: Path) -> None:
    episode = run(pd(FOCAL, TFT), file(tmp_path, ASYNC)).episode
    assert (episode.executed[:, :, 0, 0] == 1).all()
