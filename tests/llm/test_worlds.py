"""Each world that speaks is played by a model that only reads, over real HTTP."""

from __future__ import annotations

import pkgutil
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.llm.readers import READERS
from tests.llm.scripted import serving

from freezetag import catalogue, substrates
from freezetag.core import FOCAL, Arm, Ref, Scenario, Speaks
from freezetag.core.speech import Wording
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import Foreign

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
COOPERATES = Ref("players/altruists/always_cooperate")


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_a_model_means_is_what_it_does(name: str) -> None:
    """In eight wordings, in which each factor has both levels: the action on record is the one that
    was meant, every answer is read at once, and a step brings what the questions say."""
    reader = READERS[name]
    world = catalogue.load(Ref.of(f"substrates/{name}", **reader.settings))
    with serving(reader.script) as served:
        scenario = Scenario(
            Ref.of(f"substrates/{name}", **reader.settings), (FOCAL, COOPERATES), ((0, 1),), 3
        )
        pupil = Pupil("scripted", Foreign("llm", served.agent.removeprefix("llm:"), 30.0))
        episode = run_arm(Arm(scenario, 8), pupil, {}, 0).episode
    assert not [e for e in episode.events if e.kind in ("unreadable", "repaired")]
    wordings = [Wording.read(e.text) for e in episode.events if e.kind == "wording"]
    for factor in world.factors:
        assert sorted(w[factor] for w in wordings) == sorted(4 * list(world.factors[factor]))
    executed = np.asarray(episode.executed)[:, :, 0]
    np.testing.assert_array_equal(executed, reader.meant(world, episode))
    assert len(served.requests) == 24
    if reader.asked:
        checks = world.words(wordings[0], 0).checks()
        (right,) = (c.reply.labels[c.right] for c in checks if c.text.startswith(reader.asked))
        paid = np.asarray(episode.rewards)[:, -1, 0]
        np.testing.assert_allclose(paid, reader.unit * float(right), atol=0.0051 * reader.unit)


def test_every_world_speaks() -> None:
    names = {m.name for m in pkgutil.iter_modules(substrates.__path__) if m.name[0] != "_"}
    for name in names:
        assert isinstance(catalogue.load(Ref(f"substrates/{name}")), Speaks), name


KEY = jax.random.key(0)


def _stepped(world: Any, actions: list[Any], **state: Any) -> Any:
    """What a step of the world itself brings, from a state with these fields."""
    present = jnp.ones(world.players, bool)
    begun = world.init(KEY, present)._replace(**{k: jnp.asarray(v) for k, v in state.items()})
    shaped = jnp.asarray(actions, jnp.int32).reshape(world.players, -1)
    return world, world.step(KEY, begun, shaped)


def _paid(world: Any, actions: list[Any], **state: Any) -> float:
    return float(_stepped(world, actions, **state)[1].rewards[0])


def _audit(words: Any, emits: str, reported: str, unseen: str | None) -> float:
    world = catalogue.load(
        Ref.of("substrates/audit", players=1, emits=int(emits), chance=0.0 if unseen else 1.0)
    )
    return _paid(world, [1 + int(reported)])


def _playground(words: Any, label: str, wet: str) -> float:
    world = catalogue.load(Ref.of("substrates/playground", players=1))
    soaked = wet in ("wet", "noisy")
    return _paid(world, [words.reply({}).read(label)], wet=[soaked])


def _takeoff(words: Any, share: str, tenths: str) -> float:
    world = catalogue.load(Ref.of("substrates/takeoff", players=2))
    ahead = np.log(int(share) / (100 - int(share)))
    return 100 * _paid(world, [int(tenths), 0], ability=np.float32([ahead, 0]))


def _crash(words: Any, lots: str, times: str) -> float:
    world = catalogue.load(Ref.of("substrates/flash_crash", players=2))
    _, out = _stepped(world, [int(lots), 10 * int(times)])
    return float(world.account(out.state)["signal"])


BRINGS: dict[str, tuple[str, Any]] = {
    "audit": (r"You \w+ (\d+) units, report (\d+) of them and are (not )?audited. How", _audit),
    "playground": (r"You answer (\w) and the step is (\w+)", _playground),
    "takeoff": (r"You have (\d+) % of all \w+ and put (\d+) .* How many points", _takeoff),
    "flash_crash": (r"The seller sells (\d+) lots of 10, .* passed on (\d+) times", _crash),
}


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(BRINGS))
def test_what_is_asked_of_a_step_is_what_it_brings(name: str) -> None:
    """The right answers to questions on what follows are those of the world's own step."""
    pattern, stepped = BRINGS[name]
    world = catalogue.load(Ref(f"substrates/{name}"))
    asked = 0
    for turn in (1, 6):
        words = world.words(Wording.of(world.factors, turn), 0)
        for check in words.checks():
            if found := re.search(pattern, check.text):
                asked += 1
                right = float(check.reply.labels[check.right])
                assert stepped(words, *found.groups()) == pytest.approx(right, abs=0.0051), check
    assert asked >= 4
