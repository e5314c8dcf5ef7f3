"""When the button was last proved by a drill, and who may be started while a drill is overdue.

A drill counts once its stop was acknowledged and that is in the ledger. One that was not counts
against the button until a later drill of the same agent is acknowledged. How long ago it was is
counted on the clock of the leases from there on; only what lies before a restart is known by the
wall clock alone, and a drill that seems to come from the future says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from freezetag.live.authority.facts import Agent
from freezetag.live.authority.states import age, most
from freezetag.live.signed import records
from freezetag.live.signed.records import read

CANARY = "canary"
"""Agents of this group are started though a drill is overdue: somebody has to be drilled."""
_NAN = float("nan")


@final
@dataclass(frozen=True)
class Drill:
    """A drill that was acknowledged: of whom, when (Unix milliseconds), how fast."""

    agent: str
    at: int
    milliseconds: int


@final
@dataclass(frozen=True)
class Failed:
    """A drill that was not acknowledged, nor any of its agent since: of whom, when (Unix
    milliseconds), how long was waited, and how many in a row."""

    agent: str
    at: int
    within: int
    count: int

    def __str__(self) -> str:
        again = f" ({self.count} in a row)" if self.count > 1 else ""
        late = f"was not acknowledged within {self.within / 1000:g} s{again}"
        return f"a drill of {self.agent} {late}, and none of it since"


@final
class Drills:
    """The drills of one authority. `within` is how old the newest may be, in seconds; 0: any age.
    With a limit, none may have failed either that no later drill of its agent made good.

    Before the first drill the first enrolment counts in its place, since nobody could be drilled
    earlier.
    """

    def __init__(self, within: float, clock: Callable[[], float], wall: Callable[[], int]) -> None:
        self.within = within
        self._clock, self._wall = clock, wall
        self._last: dict[str, Drill] = {}  # in the order of the ledger
        self._failed: dict[str, Failed] = {}
        self._since: int | None = None  # when the newest drill was, or the first enrolment
        self._age, self._counted = 0.0, 0.0  # seconds, and when on the clock that was so

    def apply(self, kind: str, body: Mapping[str, Any], at: int) -> None:
        """Takes in one record, of any kind: each tells that its time has come."""
        record = read(kind, body)
        drilled = isinstance(record, records.Drill)
        if isinstance(record, records.Drill):
            self._last.pop(record.agent, None)
            self._last[record.agent] = Drill(record.agent, at, record.ms)
            self._failed.pop(record.agent, None)
        elif isinstance(record, records.DrillFailed):
            failed = Failed(record.agent, at, record.within, record.count)
            self._failed[record.agent] = failed
        if drilled or (self._since is None and isinstance(record, records.Enrol)):
            self._since, old = at, (self._wall() - at) / 1000
            self._age = old if old >= 0 else _NAN  # the wall clock was set back since
        elif self._since is not None:
            self._age = most(self.age(), (at - self._since) / 1000)
        self._counted = self._clock()

    @property
    def newest(self) -> Drill | None:
        return next(reversed(self._last.values()), None)

    @property
    def failed(self) -> list[Failed]:
        """Those that no later drill of their agent made good, by agent."""
        return [self._failed[agent] for agent in sorted(self._failed)]

    def failures(self, agent: str) -> int:
        """How many drills of this agent failed since the last one that was acknowledged."""
        failed = self._failed.get(agent)
        return failed.count if failed else 0

    def age(self) -> float:
        """Seconds since the newest drill, or since the first enrolment if there was none.

        No wall clock that is set back makes it less, and no restart but both at once. Not a number
        where that is not known; 0 where nobody is enrolled.
        """
        if self._since is None:
            return 0.0
        by_wall = (self._wall() - self._since) / 1000
        return most(self._age + self._clock() - self._counted, by_wall)

    @property
    def overdue(self) -> bool:
        return self.within > 0 and (bool(self._failed) or not self.age() <= self.within)

    def longest_ago(self, agents: Iterable[str]) -> str:
        """Who of the agents was drilled longest ago; whoever never was comes first, by name."""
        order = {name: n for n, name in enumerate(self._last, 1)}
        return min(agents, key=lambda name: (order.get(name, 0), name))

    def why_not(self, agent: Agent) -> str:
        """Why `agent` may not be started now; "" if it may. Who failed may: to be drilled again."""
        if not self.overdue or CANARY in agent.groups or agent.name in self._failed:
            return ""
        due = f"there is to be one every {age(self.within)}"
        return (
            f"{agent.name} is not started, since a drill is overdue: {self.why}, and {due}. Drill "
            "an agent that runs: freezetag drill. If none runs, start one of the group "
            f"{CANARY!r}, or one whose drill failed, which is always allowed, and drill that."
        )

    @property
    def why(self) -> str:
        """What the last drills were, in words: first those that failed."""
        if self._failed:
            return "; ".join(map(str, self.failed))
        old, newest = self.age(), self.newest
        if old != old:
            return "the wall clock was set back, so it is not known how long ago the last one was"
        if newest is None:
            return f"none was acknowledged in the {age(old)} since the first agent was enrolled"
        return f"the last one that was acknowledged, of {newest.agent}, was {age(old)} ago"
