"""What the contracts must carry of what is said: on a channel, in words, to many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from tests.sim.carried import TFT, Bare, file, pd, run

from freezetag.contracts import check_substrate
from freezetag.core import (
    FOCAL,
    SILENCE,
    Outcome,
    Scenario,
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
