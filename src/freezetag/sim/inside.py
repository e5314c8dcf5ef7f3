"""Python objects examined where they are: the same questions as a worker asks, in this process.

Used for an object given to `freezetag.examine` in Python, which has no name that a child process
could load. Caveat: a hang hangs you, prints are yours, and there is no step budget.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from freezetag.sim._worker import OFFERS, READS, NotAnAction, answer
from freezetag.sim.adapter import adapter
from freezetag.sim.chance import reseeded
from freezetag.sim.fingerprints import Prints, lost, of_agent
from freezetag.sim.foreign import MIXED, AgentFailed, Foreign, Remark, printable
from freezetag.sim.plain import action_sizes, as_lists, plain

SCHEME = "object"
GIVEN: dict[str, Inside] = {}
"""Objects that sit as classmates, by the name that `known_as` gave them."""


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


def known_as(agent: Any) -> str:
    """The name of an object among those of this process: its own, numbered if it is taken."""
    own = str(getattr(agent, "__name__", type(agent).__name__))
    name, number = own, 1
    while name in GIVEN and GIVEN[name].given is not agent:
        number += 1
        name = f"{own}#{number}"
    GIVEN.setdefault(name, Inside(SCHEME, name, given=agent, identity=id(agent)))
    return name


@dataclass(frozen=True)
class _Function:
    act: Any


class InsideWorker:
    """The interface of `Worker`, without a process. Raises `AgentFailed` alike.

    The global generators are seeded per batch, as in a process, and given back as they were.
    """

    def __init__(
        self,
        foreign: Inside,
        *,
        seat: int,
        rest: Sequence[int] = (),
        sizes: Sequence[int] | None = None,
    ) -> None:
        self.foreign, self.seat = foreign, seat
        self.agents: list[Any] = []
        self.offers: tuple[str, ...] = ()
        self.remarks: list[Remark] = []
        self.rest, self.sizes = rest, sizes
        self.loop: asyncio.AbstractEventLoop | None = None

    def reset(self, seeds: Sequence[int], names: Sequence[str] | None = None) -> None:
        """One fresh agent per episode, of these names if given."""
        first = seeds[0] if seeds else 0
        random.seed(first)
        np.random.seed(first % 2**32)  # noqa: NPY002 - for agents that use the global generator
        self.agents = []
        for b, (seed, name) in enumerate(
            zip(seeds, names or [self.foreign.name] * len(seeds), strict=True)
        ):
            try:
                agent = self._maker(name)(int(seed))
            except (Exception, SystemExit) as error:
                raise self._failed(None, b, outcome(error), "reset") from error
            if not any(callable(getattr(agent, name, None)) for name in ("act", "act_on")):
                said = f"made a {type(agent).__name__}, which has no act(observation)"
                raise self._failed(None, b, said, "load")
            self.agents.append(agent)
        self.offers = tuple(
            offer
            for offer in OFFERS
            if all(callable(getattr(agent, offer, None)) for agent in self.agents)
        )
        if any(getattr(agent, READS, False) is True for agent in self.agents):
            self.offers += (READS,)

    def _maker(self, name: str) -> Any:
        """`make(seed)` of the agent of this name."""
        if self.foreign.scheme != MIXED:
            return (self.foreign if name == self.foreign.name else GIVEN[name]).make
        scheme, _, inner = name.partition(":")
        if scheme == SCHEME:
            return GIVEN[inner].make
        # Made anew for every batch, as in a process of its own.
        return adapter(MIXED).made(name)

    def act(
        self,
        step: int,
        obs: Mapping[str, Any],
        active: Any,
        said: Sequence[Mapping[int, str]] | None = None,
        words: Sequence[Any] | None = None,
    ) -> Any:
        """int32 [B, K]; zeros where `active` [B] is False."""
        self.remarks = []
        episodes, width = np.asarray(obs["selfish"]).shape
        sizes = self.sizes or action_sizes(np.asarray(obs["legal"]).shape[1], width)
        fields = {name: np.asarray(value) for name, value in obs.items()}
        lists = as_lists(fields)
        actions = np.zeros((episodes, width), np.int32)
        for b in np.flatnonzero(active).tolist():
            try:
                agent = self.agents[b]
                if hasattr(agent, "act_on"):
                    value = agent.act_on({name: field[b] for name, field in fields.items()})
                else:
                    seen = plain(lists, b, sizes, said[b] if said else None)
                    value = agent.act(seen | ({"words": words[b]} if words else {}))
                if inspect.isawaitable(value):
                    value = self._waited_for(value)
                actions[b] = self._action(b, answer(value, width))
            except NotAnAction as wrong:
                text = f"chose {wrong}, which is not an action of {width} whole numbers"
                raise self._failed(step, b, text, "action") from None
            except (Exception, SystemExit) as error:
                raise self._failed(step, b, outcome(error), "exception") from error
        return actions

    def _waited_for(self, value: Any) -> Any:
        """What an `async def act` gives: in one loop for all, or, within a loop that runs already
        (a notebook's), in one of its own."""

        async def wait() -> Any:
            return await value

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
            return self.loop.run_until_complete(wait())
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(asyncio.run, wait()).result()

    def _action(self, b: int, answered: Any) -> Any:
        if not isinstance(answered, dict):
            return answered
        action = answered.pop("action")
        self.remarks += [Remark(b, kind, text) for kind, text in answered.items()]
        return self.rest if action is None else action

    def save(self) -> tuple[Any, ...]:
        """The agents themselves, copied."""
        return tuple(copy.deepcopy(agent) for agent in self.agents)

    def fingerprints(self) -> list[tuple[Prints, Prints]]:
        """Hashes of what each agent is and keeps."""
        return [of_agent(agent) for agent in self.agents]

    def lost(self) -> list[tuple[bool, str]]:
        """Whether each agent's numbers are none any more."""
        return [lost(agent) for agent in self.agents]

    def load(self, states: Sequence[Any], freeze: bool = False, seeds: Sequence[int] = ()) -> None:
        """The agents as they were saved; with `seeds` their chance begins anew."""
        self.agents = [copy.deepcopy(state) for state in states]
        if freeze:
            self.freeze()
        for b, seed in enumerate(seeds):
            reseeded(self.agents[b], (seed, b))

    def freeze(self) -> None:
        """Hold the agents that can be."""
        for agent in self.agents:
            if callable(hold := getattr(agent, "freeze", None)):
                hold()

    def learn(self, days: Sequence[Mapping[str, Any] | None]) -> None:
        """Hand agents that have `learn` their day; None is for those that are stopped."""
        for b, (agent, day) in enumerate(zip(self.agents, days, strict=False)):
            if day is not None and callable(getattr(agent, "learn", None)):
                own = {name: np.asarray(values).tolist() for name, values in day.items()}
                try:
                    agent.learn(own)
                except (Exception, SystemExit) as error:
                    raise self._failed(None, b, outcome(error), "learn") from error

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
        if self.loop is not None:
            self.loop.close()
        random.setstate(self.before[0])
        np.random.set_state(self.before[1])  # noqa: NPY002 - see reset


def outcome(error: BaseException) -> str:
    """What an agent did, in words; `sys.exit` ends the agent and not its caller."""
    if isinstance(error, SystemExit):
        return f"called sys.exit({'' if error.code is None else printable(str(error.code))})"
    return f"raised {type(error).__name__}: {printable(str(error))}"
