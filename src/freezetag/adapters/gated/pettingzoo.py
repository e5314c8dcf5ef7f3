"""PettingZoo environments behind gates, one gate an agent.

A group stop is several keys of the dict: every agent whose gate refuses plays its `prepared`
action, the others play on. Agents without a gate are not ours and pass. A reset of the environment
resets no gate; `info["oversight"]` of a gated agent says what its gate answered last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

from pettingzoo.utils import BaseParallelWrapper, BaseWrapper

from freezetag.adapters.gated._step import Step, ask
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike


@final
class GatedParallelEnv(BaseParallelWrapper):  # type: ignore[misc] # pettingzoo ships no types
    """A parallel environment; `gates` and `prepared` map agents' names to gate and action.

    A prepared action may be a function of the agent's last observation. `advance` is called once
    after every step of the environment. Raises `UserError` for a gated agent that the environment
    does not have, or without a prepared action: a parallel environment takes no step without it.
    """

    def __init__(
        self,
        env: Any,
        gates: Mapping[str, GateLike],
        prepared: Mapping[str, Any],
        *,
        advance: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(env)
        _require(env, gates, prepared)
        self._gates, self._prepared, self._advance = dict(gates), dict(prepared), advance
        self._seen: dict[str, Any] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self._seen, infos = self.env.reset(seed=seed, options=options)
        return self._seen, infos

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        taken = dict(actions)
        steps: dict[str, Step] = {}
        outcome = "failed"
        try:
            for agent in actions:
                if (gate := self._gates.get(agent)) is None:
                    continue
                steps[agent] = step = ask(gate, f"step {agent}", actions[agent])
                if not step.admitted:
                    taken[agent] = _action(self._prepared[agent], self._seen.get(agent))
            self._seen, *rest, infos = self.env.step(taken)
            outcome = "done"
        finally:
            for step in steps.values():
                step.end(outcome)
            self._advance()
        told = {agent: {"oversight": step.oversight()} for agent, step in steps.items()}
        shown = {agent: {**info, **told.get(agent, {})} for agent, info in infos.items()}
        return (self._seen, *rest, shown)


@final
class GatedAECEnv(BaseWrapper):  # type: ignore[misc] # pettingzoo ships no types
    """The same for environments in which agents act in turn.

    `advance` is called with an agent's name after each of its turns, so that every agent can have a
    clock that counts its own.
    """

    def __init__(
        self,
        env: Any,
        gates: Mapping[str, GateLike],
        prepared: Mapping[str, Any],
        *,
        advance: Callable[[str], object] = lambda agent: None,
    ) -> None:
        super().__init__(env)
        _require(env, gates, prepared)
        self._gates, self._prepared, self._advance = dict(gates), dict(prepared), advance
        self._told: dict[str, dict[str, Any]] = {}

    @property
    def infos(self) -> dict[str, dict[str, Any]]:
        """The environment's, with what the gates said."""
        told = self._told
        return {
            agent: {**info, "oversight": told[agent]} if agent in told else info
            for agent, info in self.env.infos.items()
        }

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self._told = {}
        self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> None:
        agent = self.env.agent_selection
        gate = self._gates.get(agent)
        if gate is None or self.env.terminations[agent] or self.env.truncations[agent]:
            self.env.step(action)
            return
        step = ask(gate, f"step {agent}", action)
        outcome = "failed"
        try:
            if not step.admitted:
                action = _action(self._prepared[agent], self.env.observe(agent))
            self.env.step(action)
            outcome = "done"
        finally:
            step.end(outcome)
            self._told[agent] = step.oversight()
            self._advance(agent)


def _action(prepared: Any, seen: Any) -> Any:
    return prepared(seen) if callable(prepared) else prepared


def _require(env: Any, gates: Mapping[str, Any], prepared: Mapping[str, Any]) -> None:
    for agent, gate in gates.items():
        if agent not in env.possible_agents:
            raise UserError(
                f"there is no agent {agent!r} to gate; the environment has "
                f"{', '.join(map(str, env.possible_agents))}."
            )
        if agent not in prepared:
            raise UserError(
                f"{agent!r} has a gate and no prepared action. Say what it plays when stopped."
            )
        if not isinstance(gate, GateLike):
            raise UserError(f"the gate of {agent!r} is {gate!r}, which lacks begin and end.")
