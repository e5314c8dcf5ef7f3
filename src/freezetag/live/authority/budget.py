"""Budgets of an agent and, summed, of a group, and the slice of them that one lease carries.

Splitting into copies gains nothing: a group's budget counts what all its members have spent. What
other lives were allowed counts as spent, and is in the ledger before it is granted, so that slices
that are out can never add up to more, also after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

from freezetag.core.interlock import PowerLimit, RuntimeLimit, Watchdog
from freezetag.live.authority.states import Incarnation, most

SLICE = 0.25
"""The share of what is left that one lease carries; a life that dies unheard loses at most this."""
_NAN = float("nan")
Lives = Callable[[str], Iterable[Incarnation]]


@final
@dataclass(frozen=True)
class Limit:
    """One limit of an agent. `name` is its sensor, for a group's `group:NAME:SENSOR`."""

    name: str
    sensor: str
    value: float
    members: tuple[str, ...]

    @property
    def is_budget(self) -> bool:
        return self.sensor not in ("runtime", "presence")

    @property
    def interlock(self) -> RuntimeLimit | Watchdog | PowerLimit:
        """`runtime` and `presence` are in seconds; anything else is a budget."""
        if self.sensor == "runtime":
            return RuntimeLimit(self.value, sensor=self.name, unit="seconds")
        if self.sensor == "presence":
            return Watchdog(self.value, sensor=self.name)
        return PowerLimit(self.value, sensor=self.name)

    def spent(self, lives: Lives) -> float:
        """What the members have spent; NaN if one that held a lease does not tell."""
        return sum(
            life.spent.get(self.sensor, _NAN)
            for member in self.members
            for life in lives(member)
            if life.leased
        )

    def slice(self, lives: Lives, mine: Incarnation) -> float:
        """How much `mine` may have spent in all before it has to ask again."""
        own = mine.spent.get(self.sensor, 0.0)
        others = sum(
            most(life.spent.get(self.sensor, _NAN), life.allowed.get(self.sensor, 0.0))
            for member in self.members
            for life in lives(member)
            if life is not mine and life.leased
        )
        left = self.value - own - others
        return own + (left * SLICE if left > 0 else 0.0)


def slices(limits: Iterable[Limit], lives: Lives, mine: Incarnation) -> dict[str, float]:
    """The least slice of each sensor, over the agent's own budget and its groups'."""
    least: dict[str, float] = {}
    for limit in limits:
        if limit.is_budget:
            part = limit.slice(lives, mine)
            least[limit.sensor] = min(part, least.get(limit.sensor, part))
    return least


def allowance(limits: Iterable[Limit], lives: Lives, mine: Incarnation) -> dict[str, float]:
    """What the next lease of `mine` allows, and `mine.allowed` with it, which only rises.

    It rises when half of the slice is used, so that not every renewal needs a record.
    """
    parts = slices(limits, lives, mine)
    for sensor, part in parts.items():
        own, had = mine.spent.get(sensor, 0.0), mine.allowed.get(sensor, 0.0)
        if part > had and not had - own > (part - own) / 2:
            mine.allowed[sensor] = part
    # One that is not a number is what an older record does not tell: it is kept for the others.
    return {name: min(part, mine.allowed.get(name, part)) for name, part in parts.items()}
