"""Going on in blocks until a verdict is certain: how many there may be, and what each look costs.

A probe that may look at its data several times, and stop when it likes what it sees, is wrong more
often than its interval says. Here every look has an equal share of the five per cent (Bonferroni):
whatever is dependent between looks, and whenever sampling stops, the interval of the look at which
it stopped holds the truth with probability .95. Looks come after 1, 2, 4, .. blocks, so that there
are few of them.

Source: Pocock 1977 for equal shares, Bonferroni's inequality for the guarantee; Demets & Lan 1994
on spending. Caveat: the interval is wider than that of one look at the same n, and a value at which
sampling stopped early lies a little too far from its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

from freezetag.core import Interval, Limits
from freezetag.core.probe import FAIL, PASS, WARN
from freezetag.estimators.estimate import Estimate

LEVEL = 0.95
LOOKED = "n is what the headline's verdict took; 95 % as if it had been fixed before"
"""Of rows that no limit judges and that use the same blocks."""


@final
@dataclass(frozen=True)
class Looks:
    """Looks after 1, 2, 4, .. blocks, `most` at most."""

    most: int = 1

    @classmethod
    def within(cls, acts: int, block: int, most: int) -> Looks:
        """As many doublings, `most` blocks at most, as `acts` buy of a block that costs `block`."""
        affordable = 1
        while 2 * affordable * block <= acts and 2 * affordable <= most:
            affordable *= 2
        return cls(affordable)

    @property
    def number(self) -> int:
        """How many looks there may be."""
        return self.most.bit_length()

    @property
    def level(self) -> float:
        """At which each of them estimates."""
        return self.at(LEVEL)

    def at(self, level: float) -> float:
        """At which each of them estimates, for `level` together."""
        return 1 - (1 - level) / self.number

    def wanted(self, done: int, certain: bool) -> int:
        """Blocks wanted in all, after `done` of them."""
        return done if certain or done >= self.most else max(1, 2 * done)

    def joint(self, of: Estimate) -> Estimate:
        """An estimate at this level of one look as what it is for all of them together."""
        if self.number == 1 or of.n == 0:
            return of
        method = f"{of.method}, {self.number} looks"
        return replace(of, level=LEVEL, method=method, tail=partial(_spent, of, self.number))

    def note(self, done: int, block: str) -> str:
        """How many blocks there were, in words, for a row that they decided."""
        if self.number == 1:
            return ""
        return (
            f"{done} of at most {self.most} blocks of {block}: it goes on until the verdict is "
            f"certain, each look at {100 * self.level:.4g} %"
        )


def _spent(of: Estimate, number: int, limit: float, above: bool) -> float:
    p = of.p_above(limit) if above else of.p_below(limit)
    return min(1.0, number * p)


def certain(limits: Limits, of: Interval) -> bool:
    """Whether more units could hardly change the verdict: the whole interval lies on one side of
    each limit."""
    verdict = limits.verdict(of)
    if verdict != WARN:
        return verdict in (PASS, FAIL)
    return max(of.low, of.high) <= limits.fail if limits.harm == "above" else of.low >= limits.fail


def key(name: Any, block: int) -> Any:
    """The key of an arm's block; the first one has the arm's own."""
    return name if block == 0 else (name, block)


def blocks(seen: Mapping[Any, Any], name: Any) -> list[Any]:
    """The records of an arm's blocks, in order."""
    found: list[Any] = []
    while (next_one := key(name, len(found))) in seen:
        found.append(seen[next_one])
    return found
