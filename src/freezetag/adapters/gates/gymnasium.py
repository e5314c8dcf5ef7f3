"""Gymnasium environments behind a gate, one step an action.

    clock = SteppedClock()
    gate = Gate(Panel((RuntimeLimit(100),)), clock=clock, enrolments=(), meters={"runtime": clock})
    env = GatedEnv(gymnasium.make("CartPole-v1"), gate, advance=clock.advance)

A refused step never reaches the environment. Instead the `prepared` action does, at every step from
then on; without one the episode is truncated. `info["oversight"]` says in numbers whether the step
was admitted and the panel's mode (wrappers that convert infos to arrays cannot take words);
`env.oversight` says it in words. A reset of the environment resets no gate.

What counts as an action in each autoreset mode: docs/how-to/gate-an-environment.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsFloat, final

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import iterate

from freezetag.adapters.gates.step import Step, ask
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike


def _stands_still() -> None:
    """The default of `advance`: the gate's clock is moved by somebody else, or runs by itself."""


class _Same:
    """What a copy of an environment's spec shares with it: a gate is one thing, never two."""

    def __init__(self, item: Any) -> None:
        self.item = item

    def __deepcopy__(self, memo: Any) -> _Same:
        return self

    def __repr__(self) -> str:
        return repr(self.item)


@final
class GatedEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """`env` with `gate` before every step.

    `prepared` is the action of a stopped agent, or a function of the last observation that gives
    it. `advance` is called after every step, refused or not; give the clock's own. What
    `env.spec.make()` makes stands behind the same gate. Raises `UserError` without a gate.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        gate: GateLike,
        *,
        prepared: Any = None,
        advance: Callable[[], object] = _stands_still,
    ) -> None:
        gate, prepared, advance = _itself(gate), _itself(prepared), _itself(advance)
        shared = {"gate": _Same(gate), "prepared": _Same(prepared), "advance": _Same(advance)}
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **shared)
        super().__init__(env)
        _require_gate(gate)
        self._gate, self._prepared, self._advance = gate, prepared, advance
        self._seen: Any = None
        self.oversight: dict[str, Any] = {}
        """What the gate answered last, in words."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._seen, info = self.env.reset(seed=seed, options=options)
        return self._seen, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        step = ask(self._gate, "step", action)
        try:
            with step:
                if step.admitted or self._prepared is not None:
                    taken = action if step.admitted else _prepared(self._prepared, self._seen)
                    self._seen, reward, terminated, truncated, info = self.env.step(taken)
                else:
                    reward, terminated, truncated, info = 0.0, False, True, {}
        finally:
            self._advance()
        self.oversight = step.oversight()
        return self._seen, reward, terminated, truncated, {**info, "oversight": _numbers(step)}


@final
class GatedVectorEnv(VectorWrapper[Any, Any, Any, Any, Any]):
    """One agent in many copies of an environment, with one gate: all are stopped together.

    `prepared` is the whole batch of actions, or a function of the batch of observations. Infos are
    arrays with masks, as Gymnasium's vector environments give them. Raises `UserError` without a
    gate.
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
        self.oversight: dict[str, Any] = {}
        """What the gate answered last, in words."""

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._seen, info = self.env.reset(seed=seed, options=options)
        return self._seen, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        step = ask(self._gate, "step", actions)
        try:
            with step:
                if step.admitted or self._prepared is not None:
                    taken = actions if step.admitted else _prepared(self._prepared, self._seen)
                    self._seen, reward, terminated, truncated, info = self.env.step(taken)
                else:
                    shape = self.env.num_envs
                    reward, terminated = np.zeros(shape), np.zeros(shape, bool)
                    truncated, info = np.ones(shape, bool), self._ended()
        finally:
            self._advance()
        self.oversight = step.oversight()
        told = {key: np.full(self.num_envs, value) for key, value in _numbers(step).items()}
        return self._seen, reward, terminated, truncated, {**info, **self._all(oversight=told)}

    def _ended(self) -> dict[str, Any]:
        """What the info of a batch holds whose episodes all ended in this step.

        With SAME_STEP the observations would be those after a reset, and the last ones stand here.
        """
        same = self.metadata.get("autoreset_mode") is AutoresetMode.SAME_STEP
        if not same or self._seen is None:
            return {}
        last = np.full(self.num_envs, None, dtype=object)
        for n, seen in enumerate(iterate(self.env.observation_space, self._seen)):
            last[n] = seen
        return self._all(final_obs=last, final_info={})

    def _all(self, **infos: Any) -> dict[str, Any]:
        """Infos of every copy, with their masks."""

        def masked(infos: dict[str, Any]) -> dict[str, Any]:
            values = {k: masked(v) if isinstance(v, dict) else v for k, v in infos.items()}
            return values | {f"_{key}": np.ones(self.num_envs, bool) for key in infos}

        return masked(infos)


def _numbers(step: Step) -> dict[str, Any]:
    """The entry `info["oversight"]`: without words, which no array can hold."""
    return {"admitted": step.admitted, "mode": step.gate.mode}


def _itself(item: Any) -> Any:
    return item.item if isinstance(item, _Same) else item


def _prepared(prepared: Any, seen: Any) -> Any:
    return prepared(seen) if callable(prepared) else prepared


def _require_gate(gate: Any) -> None:
    if not isinstance(gate, GateLike):
        raise UserError(
            f"{gate!r} is not a gate: it lacks begin and end. Give a "
            "freezetag.live.gate.gate.Gate; there is no wrapper without one."
        )
