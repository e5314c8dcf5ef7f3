"""The watchdog on the gate itself: whoever waits for a gate that hangs would wait for ever.

What hangs in a gate (a meter, a disk) holds its lock, so it shows in a thread that ticks it.
"""

from __future__ import annotations

import threading
import time
from typing import final

from freezetag.live.gate.gate import STOPPING, Gate

TICK = 0.05
PATIENCE = 5.0
"""Seconds that a gate may take for a tick, before it counts as hung."""


@final
class Pulse:
    """From `begin` to `end` `gate` is ticked beside its host; `drain` is how long a stop of it may
    take."""

    def __init__(self, gate: Gate, drain: float) -> None:
        self._gate, self._drain = gate, drain
        self._feeling = False
        self._felt = self._moved = 0.0

    def begin(self) -> None:
        """Twice is harmless."""
        self._felt = self._moved = time.monotonic()
        if not self._feeling:
            self._feeling = True
            threading.Thread(target=self._feel, name="pulse", daemon=True).start()

    def end(self) -> None:
        self._feeling = False

    def is_lost(self, phase: str) -> bool:
        """No answer, or a stop of the gate (whose `phase` this is) without end. Never waits."""
        now = time.monotonic()
        if phase != STOPPING:
            self._moved = now
        return now - self._felt > PATIENCE or now - self._moved > self._drain + PATIENCE

    def _feel(self) -> None:
        while self._feeling:
            self._gate.tick()
            self._felt = time.monotonic()
            time.sleep(TICK)
