"""An interval as it was written down: all but the sample it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoredInterval:
    """Meets core's `Interval`. Its p-values know only the interval, so they are coarse:

    (1 - level) / 2 where the whole interval lies on the claimed side of the limit, else 1.
    The p-value that a verdict used is stored with its section (`p_fail`).
    """

    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95
    note: str = ""

    @classmethod
    def of(cls, interval: Any) -> StoredInterval:
        """The stored form of any interval; a missing value has no bounds."""
        return cls(
            float(interval.value),
            float(interval.low),
            float(interval.high),
            int(interval.n),
            str(interval.method),
            float(interval.level),
            str(interval.note),
        )

    def p_above(self, limit: float) -> float:
        """p-value of the claim "true value > limit", from the interval alone."""
        return self._p(self.low > limit)

    def p_below(self, limit: float) -> float:
        """p-value of the claim "true value < limit", from the interval alone."""
        return self._p(self.high < limit)

    def _p(self, shown: bool) -> float:
        if self.n == 0 or math.isnan(self.value) or not shown:
            return 1.0
        return (1.0 - self.level) / 2
