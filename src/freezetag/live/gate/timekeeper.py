"""The time as a gate sees it: its own clock, and the wall clock as a witness against that.

Both are functions of the host's, so both may fail; what is not known is not a number, which every
comparison here takes for a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from freezetag.live.gate.clock import Clock

_NAN = float("nan")


@final
class Timekeeper:
    """`now` reads the clock; `went_back` and `jumped` say that it is no longer to be trusted.

    `wall` gives Unix seconds. `max_jump` (seconds) is by how much the two may drift apart between
    two looks.
    """

    def __init__(self, clock: Clock, wall: Callable[[], float] | None, max_jump: float) -> None:
        self._clock, self._wall, self._max_jump = clock, wall, max_jump
        self.restart()

    def restart(self) -> None:
        """From here on, whatever was before."""
        self.latest = self.now()
        self._drift = self._drifted(self.latest)

    def now(self) -> float:
        """The gate's own time; NaN if its clock fails."""
        try:
            return self._clock()
        except Exception:
            return _NAN

    def went_back(self, now: float) -> bool:
        """Whether `now` is before the newest time that was seen, or not known."""
        if not now >= self.latest:
            return True
        self.latest = now
        return False

    def jumped(self, now: float) -> bool:
        """Whether either clock jumped since the last look; a jump of either shows."""
        drift, before = self._drifted(now), self._drift
        self._drift = drift
        return not abs(drift - before) <= self._max_jump

    def unix_milliseconds(self) -> int:
        """For people to read; 0 without a wall clock that works."""
        seconds = self._drifted(0.0)
        return int(seconds * 1000) if abs(seconds) < float("inf") else 0

    def _drifted(self, now: float) -> float:
        """How far the wall clock is from ours."""
        try:
            return 0.0 if self._wall is None else self._wall() - now
        except Exception:
            return _NAN
