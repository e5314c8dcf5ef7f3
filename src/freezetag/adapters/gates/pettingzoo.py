"""PettingZoo environments behind gates, one gate an agent.

A group stop is several keys of the dict: every agent whose gate refuses plays its `prepared`
action, the others play on. Agents without a gate are not ours and pass. A reset of the environment
resets no gate; `info["oversight"]` of a gated agent says what its gate answered last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, final

from pettingzoo.utils import BaseParallelWrapper, BaseWrapper

from freezetag.adapters.gates.step import Step, ask
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike

_T = TypeVar("_T")
Named = Mapping[Any, _T] | Callable[[Any], _T]
"""By an agent's name: a mapping, or a function."""


@final
class GatedParallelEnv(BaseParallelWrapper):  # type: ignore[misc] # pettingzoo ships no types
    """A parallel environment; `gates` and `prepared` map agents' names to gate and action.

    Both may be functions of the name instead (None: no gate), for agents that have none yet. A
    prepared action may be a function of the agent's last observation. `advance` is called once
    after every step of the environment. Entries of a dictionary that are no agent's (`"__all__"`)
    pass. Raises `UserError` for a gated agent that the environment surely does not have, or without
    a prepared action: a parallel environment takes no step without it. An environment without
    `possible_agents` does not say whom it will have: there an agent may be born later.
    """

    def __init__(
        self,
        env: Any,
        gates: Named[GateLike | None],
        prepared: Named[Any],
        *,
        advance: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(env)
        self._gate_of, self._prepared_of = _lookups(env, gates, prepared)
        self._advance = advance
        self._seen: dict[str, Any] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self._seen, infos = self.env.reset(seed=seed, options=options)
        return self._seen, infos

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        taken = dict(actions)
        steps: dict[str, Step] = {}
        with contextlib.ExitStack() as asked:
            asked.callback(self._advance)
            for agent in actions:
                if (gate := self._gate_of(agent)) is None:
                    continue
                step = ask(gate, f"step {agent}", actions[agent])
                steps[agent] = asked.enter_context(step)
                if not step.admitted:
                    taken[agent] = _action(self._prepared_of(agent), self._seen.get(agent))
            self._seen, *rest, infos = self.env.step(taken)
        shown = {
            agent: {**info, "oversight": steps[agent].oversight()} if agent in steps else info
            for agent, info in infos.items()
        }
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
        gates: Named[GateLike | None],
        prepared: Named[Any],
        *,
        advance: Callable[[str], object] = lambda agent: None,
    ) -> None:
        super().__init__(env)
        self._gate_of, self._prepared_of = _lookups(env, gates, prepared)
        self._advance = advance
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
        gate = self._gate_of(agent)
        if gate is None or self.env.terminations[agent] or self.env.truncations[agent]:
            self.env.step(action)
            return
        step = ask(gate, f"step {agent}", action)
        try:
            with step:
                if not step.admitted:
                    action = _action(self._prepared_of(agent), self.env.observe(agent))
                self.env.step(action)
        finally:
            self._told[agent] = step.oversight()
            self._advance(agent)


def _action(prepared: Any, seen: Any) -> Any:
    return prepared(seen) if callable(prepared) else prepared


def _lookups(
    env: Any, gates: Named[GateLike | None], prepared: Named[Any]
) -> tuple[Callable[[Any], GateLike | None], Callable[[Any], Any]]:
    """What to ask with an agent's name. Raises `UserError`."""
    if callable(gates) or callable(prepared):
        if not (callable(gates) and callable(prepared)):
            raise UserError(
                "give gates and prepared both as functions of an agent's name, or both as mappings."
            )
        return gates, prepared
    _require(env, gates, prepared)
    return dict(gates).get, dict(prepared).get


def _require(env: Any, gates: Mapping[str, Any], prepared: Mapping[str, Any]) -> None:
    possible = getattr(env, "possible_agents", None)
    for agent, gate in gates.items():
        if possible is not None and agent not in possible:
            raise UserError(
                f"there is no agent {agent!r} to gate; the environment has "
                f"{', '.join(map(str, possible))}."
            )
        if agent not in prepared:
            raise UserError(
                f"{agent!r} has a gate and no prepared action. Say what it plays when stopped."
            )
        if not isinstance(gate, GateLike):
            raise UserError(f"the gate of {agent!r} is {gate!r}, which lacks begin and end.")
