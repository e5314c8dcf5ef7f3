"""Python objects examined where they are: the same questions as a worker asks, in this process.

Used for an object given to `freezetag.examine` in Python, which has no name that a child process
could load. Caveat: a hang hangs you, prints are yours, and there is no step budget.
"""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from freezetag.sim._worker import OFFERS, NotAnAction, answer
from freezetag.sim.foreign import AgentFailed, Foreign, Remark
from freezetag.sim.plain import action_sizes, as_lists, plain


@dataclass(frozen=True)
class Inside(Foreign):
    """An agent given as an object: a class or factory (called per episode), an object (copied
    per episode) or a function `act(observation)` (taken as memoryless)."""

    given: Any = field(default=None, compare=False)
    identity: int = 0

    def make(self, seed: int) -> Any:
        """A fresh agent for one episode, with `act`."""
        given = self.given
        if isinstance(given, type):
            takes_seed = "seed" in inspect.signature(given).parameters
            return given(seed=seed) if takes_seed else given()
        if hasattr(given, "act"):
            return copy.deepcopy(given)
        return _Function(given)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Function:
    act: Any


class InsideWorker:
    """The interface of `Worker`, without a process. Raises `AgentFailed` alike.

    The global generators are seeded per batch, as in a process, and given back as they were.
    """

    def __init__(self, foreign: Inside, *, seat: int, rest: Sequence[int] = ()) -> None:
        self.foreign, self.seat = foreign, seat
        self.agents: list[Any] = []
        self.offers: tuple[str, ...] = ()
        self.remarks: list[Remark] = []
        self.rest = rest

    def reset(self, seeds: Sequence[int], names: Sequence[str] | None = None) -> None:
        """One fresh agent per episode; all are the one agent, whatever the names."""
        first = seeds[0] if seeds else 0
        random.seed(first)
        np.random.seed(first % 2**32)  # noqa: NPY002 - for agents that use the global generator
        self.agents = []
        for b, seed in enumerate(seeds):
            try:
                self.agents.append(self.foreign.make(seed))
            except Exception as error:
                raise self._failed(None, b, f"{type(error).__name__}: {error}", "reset") from error
        self.offers = tuple(
            offer
            for offer in OFFERS
            if all(callable(getattr(agent, offer, None)) for agent in self.agents)
        )

    def act(
        self,
        step: int,
        obs: Mapping[str, Any],
        active: Any,
        said: Sequence[Mapping[int, str]] | None = None,
    ) -> Any:
        """int32 [B, K]; zeros where `active` [B] is False."""
        self.remarks = []
        episodes, width = np.asarray(obs["selfish"]).shape
        sizes = action_sizes(np.asarray(obs["legal"]).shape[1], width)
        lists = as_lists({name: np.asarray(value) for name, value in obs.items()})
        actions = np.zeros((episodes, width), np.int32)
        for b in np.flatnonzero(active).tolist():
            try:
                seen = plain(lists, b, sizes, said[b] if said else None)
                actions[b] = self._action(b, answer(self.agents[b].act(seen), width))
            except NotAnAction as wrong:
                text = f"chose {wrong}, which is no action of {width} whole numbers"
                raise self._failed(step, b, text, "action") from None
            except Exception as error:
                text = f"raised {type(error).__name__}: {error}"
                raise self._failed(step, b, text, "exception") from error
        return actions

    def _action(self, b: int, answered: Any) -> Any:
        if not isinstance(answered, dict):
            return answered
        action = answered.pop("action")
        self.remarks += [Remark(b, kind, text) for kind, text in answered.items()]
        return self.rest if action is None else action

    def save(self) -> tuple[Any, ...]:
        """The agents themselves, copied."""
        return tuple(copy.deepcopy(agent) for agent in self.agents)

    def load(self, states: Sequence[Any], freeze: bool = False) -> None:
        """The agents as they were saved."""
        self.agents = [copy.deepcopy(state) for state in states]
        for agent in self.agents if freeze else ():
            if callable(hold := getattr(agent, "freeze", None)):
                hold()

    def learn(self, days: Sequence[Mapping[str, Any]]) -> None:
        """Hand agents that have `learn` their day."""
        for agent, day in zip(self.agents, days, strict=False):
            if callable(getattr(agent, "learn", None)):
                agent.learn({name: np.asarray(values).tolist() for name, values in day.items()})

    def _failed(self, step: int | None, b: int, said: str, field_: str) -> AgentFailed:
        at = "" if step is None else f" at step {step}"
        return AgentFailed(
            f"{self.foreign.name}{at} in episode {b} (seat {self.seat}) {said}.",
            agent=self.foreign.name,
            step=step,
            seat=self.seat,
            episode=b,
            field=field_,
        )

    def __enter__(self) -> InsideWorker:
        self.before = random.getstate(), np.random.get_state()  # noqa: NPY002 - see reset
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.agents = []
        random.setstate(self.before[0])
        np.random.set_state(self.before[1])  # noqa: NPY002 - see reset
