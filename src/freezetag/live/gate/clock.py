"""Clocks: the one a lease is counted on, and a stepped one for simulation and tests.

The claim needs a clock that counts suspended time. `CLOCK_BOOTTIME` does (Linux); elsewhere the
fallback is the monotonic clock, and `counts_suspend` says False, so that a host can print it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """Seconds from an arbitrary start, never running backwards."""

    name: str
    counts_suspend: bool
    simulated: bool

    def __call__(self) -> float: ...


class _SystemClock:
    simulated = False

    def __init__(self, name: str, counts_suspend: bool, read: Callable[[], float]) -> None:
        self.name = name
        self.counts_suspend = counts_suspend
        self._read = read

    def __call__(self) -> float:
        return self._read()


def boot_clock() -> Clock:
    """The clock for leases: `CLOCK_BOOTTIME` where there is one, else the monotonic clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if boot is not None:
        return _SystemClock("CLOCK_BOOTTIME", True, partial(time.clock_gettime, boot))
    return _SystemClock("monotonic", False, time.monotonic)


def wall_clock() -> Clock:
    """Unix time, which is only ever compared with the lease's clock to notice a jump of either."""
    return _SystemClock("wall", True, time.time)


class SteppedClock:
    """A clock that moves only when told to: steps of a simulation, or a test's seconds.

    >>> clock = SteppedClock()
    >>> clock.advance(2.5)
    2.5
    """

    name = "stepped"
    counts_suspend = True
    simulated = True

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float = 1.0) -> float:
        """Moves on by `seconds` (or steps) and gives the new time."""
        self.now += seconds
        return self.now
