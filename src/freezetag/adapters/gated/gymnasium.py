"""Gymnasium environments behind a gate, one step an action.

    clock = SteppedClock()
    gate = Gate(Panel((RuntimeLimit(100),)), clock=clock, enrolments=(), meters={"runtime": clock})
    env = GatedEnv(gymnasium.make("CartPole-v1"), gate, advance=clock.advance)

A refused step never reaches the environment. Instead the `prepared` action does, at every step from
then on; without one the episode is truncated. `info["oversight"]` says what happened. A reset of
the environment resets no gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsFloat, final

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from freezetag.adapters.gated._step import ask
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike


def _stands_still() -> None:
    """The default of `advance`: the gate's clock is moved by somebody else, or runs by itself."""


@final
class GatedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """`env` with `gate` before every step.

    `prepared` is the action of a stopped agent, or a function of the last observation that gives
    it. `advance` is called after every step, refused or not; give the clock's own.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        gate: GateLike,
        *,
        prepared: Any = None,
        advance: Callable[[], object] = _stands_still,
    ) -> None:
        super().__init__(env)
        _require_gate(gate)
        self._gate, self._prepared, self._advance = gate, prepared, advance
        self._seen: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._seen, info = self.env.reset(seed=seed, options=options)
        return self._seen, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        step = ask(self._gate, "step", action)
        outcome = "failed"
        try:
            if step.admitted or self._prepared is not None:
                taken = action if step.admitted else _prepared(self._prepared, self._seen)
                self._seen, reward, terminated, truncated, info = self.env.step(taken)
            else:
                reward, terminated, truncated, info = 0.0, False, True, {}
            outcome = "done"
        finally:
            step.end(outcome)
            self._advance()
        return self._seen, reward, terminated, truncated, {**info, "oversight": step.oversight()}


@final
class GatedVectorEnv(VectorWrapper[Any, Any, Any, Any, Any]):
    """One agent in many copies of an environment, with one gate: all are stopped together.

    `prepared` is the whole batch of actions, or a function of the batch of observations.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        gate: GateLike,
        *,
        prepared: Any = None,
        advance: Callable[[], object] = _stands_still,
    ) -> None:
        super().__init__(env)
        _require_gate(gate)
        self._gate, self._prepared, self._advance = gate, prepared, advance
        self._seen: Any = None

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._seen, info = self.env.reset(seed=seed, options=options)
        return self._seen, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        step = ask(self._gate, "step", actions)
        outcome = "failed"
        try:
            if step.admitted or self._prepared is not None:
                taken = actions if step.admitted else _prepared(self._prepared, self._seen)
                self._seen, reward, terminated, truncated, info = self.env.step(taken)
            else:
                shape = self.env.num_envs
                reward, terminated = np.zeros(shape), np.zeros(shape, bool)
                truncated, info = np.ones(shape, bool), {}
            outcome = "done"
        finally:
            step.end(outcome)
            self._advance()
        return self._seen, reward, terminated, truncated, {**info, "oversight": step.oversight()}


def _prepared(prepared: Any, seen: Any) -> Any:
    return prepared(seen) if callable(prepared) else prepared


def _require_gate(gate: Any) -> None:
    if not isinstance(gate, GateLike):
        raise UserError(
            f"{gate!r} is no gate: it lacks begin and end. Give a freezetag.live.gate.gate.Gate; "
            "there is no wrapper without one."
        )
