"""Decides a gate's journal again: its inputs through a fresh `Gate`, its decisions beside it.

The inputs are what the journal holds: readings, presses, the times, on a stepped clock. Whoever
finds another decision than the recorded one has found a changed journal, or a changed gate.

Caveat: what an authority keeps back (no lease yet, a spent slice, too little time left for a strict
gate) is in the journal as a reason and not as an input; such refusals are listed as `unjudged`.
The replay says that the record is consistent, not that it is complete.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from freezetag.core.gate import Refused
from freezetag.core.interlock import GO, Panel
from freezetag.core.journal import JournalError, read
from freezetag.core.log import panel_of
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import OPEN, Gate

_NAN = float("nan")
_BY_READING = frozenset({"expired", "limit", "unknown"})


@final
@dataclass(frozen=True)
class Replay:
    """`decisions` were decided again; `differences` say where the journal tells another one."""

    decisions: int
    differences: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Every decision was made again, and came out as recorded."""
        return not self.differences and not self.unjudged


def replay(lines: Iterable[bytes], head: str | None = None) -> Replay:
    """Replays a journal; `head` is its newest hash, kept elsewhere.

    Raises `JournalError` for a journal whose chain is broken, whose entries lack what their kind
    needs, or whose panel has an interlock of the user's own, whose code a journal does not hold.
    """
    played = _Played()
    for number, entry in enumerate(read(lines, head)):
        try:
            played.entry(number, entry)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise JournalError(f"entry {number} cannot be replayed: {error!r:.200}") from None
    return Replay(played.decisions, tuple(played.differences), tuple(played.unjudged))


class _Played:
    """The incarnation that is being replayed. Before the first opening there is none."""

    def __init__(self) -> None:
        self.decisions = 0
        self.differences: list[str] = []
        self.unjudged: list[str] = []
        self._gate: Gate | None = None
        self._clock = SteppedClock()
        self._reading: Mapping[str, Any] = {}
        self._numbers: dict[int, int] = {}
        self._last = 0

    def entry(self, number: int, entry: Mapping[str, Any]) -> None:
        kind = entry["kind"]
        if kind == "open":
            self._open(panel_of(entry["panel"]), _time(entry["t"]))
        elif kind in ("begin", "refused"):
            self._decide(number, entry, kind == "begin")
        elif kind == "stop":
            self._stop(number, entry)
        elif kind == "end":
            if self._gate is not None and (ours := self._numbers.pop(entry["n"], 0)):
                self._gate.end(ours, entry["outcome"])
        elif kind == "ack":
            self._gate = None  # whatever is asked now, an opening has to come first
        else:
            raise ValueError(f"a journal has no entries of kind {kind!r}")

    def _open(self, panel: Panel, t: float) -> None:
        """A fresh gate, whose sensors, button and watchdogs read what was recorded."""
        self._clock = SteppedClock(t)
        # Of the reading at the opening nothing is recorded but that it was clear.
        self._reading = {}
        sensors = {item.sensor: item for item in panel.interlocks}
        self._numbers = {}
        numbers = itertools.count(1)
        self._gate = Gate(
            panel,
            clock=self._clock,
            enrolments=(),
            meters={sensor: self._meter(sensor) for sensor in sensors},
            fresh=lambda size: f"{next(numbers):0{2 * size}x}",
        )

    def _meter(self, sensor: str) -> Any:
        def measure() -> float:
            # Lowest before the first reading: under every limit.
            value = self._reading.get(sensor) if self._reading else -math.inf
            return _time(value)

        return measure

    def _decide(self, number: int, entry: Mapping[str, Any], admitted: bool) -> None:
        self.decisions += 1
        told = f"entry {number} ({entry['action']!r:.60})"
        if self._gate is None:
            if admitted:
                self.differences.append(f"{told} was let through before the gate had opened")
            return
        self._reading = dict(entry["reading"])
        self._clock.now = _time(entry["t"])
        try:
            ours = self._gate.begin(str(entry["action"]))
        except Refused as refused:
            if admitted:
                self.differences.append(f"{told} was let through; the replay: {refused.reason}")
            elif self._gate.mode & ~int(entry["mode"]):
                self.differences.append(f"{told} was refused in mode {entry['mode']}, which lacks "
                                        f"what trips here: {self._gate.mode}")  # fmt: skip
            return
        if not admitted:
            self._gate.end(ours)
            if entry["mode"] == GO:
                self.unjudged.append(f"{told} was refused, by what is not recorded: "
                                     f"{entry['reason']!s:.200}")  # fmt: skip
            else:
                self.differences.append(f"{told} was refused in mode {entry['mode']}; "
                                        "the replay lets it through")  # fmt: skip
            return
        self._numbers[entry["n"]] = ours
        if entry["mode"] != GO:
            self.differences.append(f"{told} was let through in mode {entry['mode']}")
        if entry["n"] not in (self._last + 1, 1):
            self.differences.append(f"{told} has number {entry['n']} after number {self._last}")
        self._last = int(entry["n"])

    def _stop(self, number: int, entry: Mapping[str, Any]) -> None:
        gate, cause = self._gate, entry["cause"]
        self.decisions += 1
        if gate is None:
            return  # stopped while it waited: nothing had been let through
        self._reading = dict(entry["reading"])
        if cause in _BY_READING:
            self._clock.now = _time(entry["t"])
        was_open = gate.phase == OPEN
        gate.tick()
        if gate.phase != OPEN or cause in _BY_READING:
            pass  # the reading decides
        elif cause == "clock":
            self._clock.now = _NAN
            gate.tick()
        elif cause == "closed":
            gate.close()
        else:
            gate.press("as recorded")
        if not was_open or gate.phase == OPEN or gate.cause != cause:
            ours = f"stopped before ({gate.cause})" if not was_open else gate.cause or "no stop"
            self.differences.append(f"entry {number} is a stop ({cause}); the replay: {ours}")
        if entry["last"] != self._last:
            self.differences.append(
                f"entry {number} stops after action {entry['last']}, the record after {self._last}"
            )


def _time(value: Any) -> float:
    """A number of the journal; null, which it writes for what is not finite, is NaN."""
    return _NAN if value is None else float(value)
