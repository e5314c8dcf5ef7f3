"""What tests of what the contracts must carry share: small scenarios, and the least of a world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp

from freezetag.core import (
    Arm,
    Outcome,
    Panel,
    Record,
    Ref,
    Scenario,
)
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import Foreign

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
