"""From the lines of a journal to incarnations of a gate, and from these to episodes, one each.

What the arrays hold is said at `core.log.Log`. Pure: entries come in, already read and checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from freezetag.core.episode import Episode, Event
from freezetag.core.interlock import UNKNOWN, Panel
from freezetag.core.journal import JournalError
from freezetag.core.log import (
    ACKNOWLEDGED,
    ASKED,
    NO_ACTION,
    OPENED,
    STOPPED,
    panel_of,
)
from freezetag.sim.foreign import BadAgent

MOST = 4_000_000
"""Cells of the arrays at most, incarnations times the lines of the longest: about 300 MB."""
COLUMNS = ("kind", "time", "in_flight", "late", "unknown", "answered", "admitted", "lease")
NAN = float("nan")


@dataclass
class Named:
    """What the lines name by text: actions (numbered from 1), the panel, and what to note."""

    actions: dict[str, int] = field(default_factory=dict)
    panel: Panel = field(default_factory=Panel)
    notes: tuple[str, ...] = ()

    def action(self, name: str) -> int:
        return self.actions.setdefault(str(name), len(self.actions) + 1)

    def describe(self, described: Sequence[Mapping[str, Any]]) -> None:
        """The panel of the newest opening; what cannot be rebuilt is noted."""
        try:
            self.panel = panel_of(described)
        except ValueError as error:
            self.notes += (f"the panel is not shown: {error}",)


@dataclass
class Line:
    """One step."""

    kind: int
    time: float = NAN
    proposed: int = NO_ACTION
    executed: int = NO_ACTION
    mode: int = 0
    in_flight: float = NAN
    late: float = NAN
    unknown: float = NAN
    answered: float = NAN
    admitted: float = NAN
    lease: float = NAN
    ahead: float = NAN  # of the wall clock to the gate's, in seconds


@dataclass
class Incarnation:
    """One incarnation of a gate, as the record tells it."""

    agent: str
    b: str = ""
    lines: list[Line] = field(default_factory=list)
    events: list[tuple[int, str, str]] = field(default_factory=list)
    interlocks: tuple[str, ...] = ()
    lease: float = NAN  # the longest that was granted to it, in seconds
    opened: bool = False
    stopped: bool = False
    running: dict[int, Line] = field(default_factory=dict)
    begun: dict[int, Line] = field(default_factory=dict)

    def add(self, line: Line) -> Line:
        self.lines.append(line)
        return line

    def happened(self, kind: str, text: str) -> None:
        """At the newest line."""
        self.events.append((max(len(self.lines) - 1, 0), kind, text))


@contextmanager
def reading(index: int) -> Iterator[None]:
    """A line that lacks what its kind says is an error that names the line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        told = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be read: {error}"
        raise JournalError(f"entry {index} {told:.120}") from None


def from_journal(
    entries: Iterable[Mapping[str, Any]], named: Named, agent: str
) -> list[Incarnation]:
    """The incarnations in a gate's journal. A new one begins where the gate opened again, or was
    asked again after it had acknowledged a stop. `agent` is whose it is until the journal says so.
    """
    incarnations: list[Incarnation] = []
    incarnation = Incarnation(agent)
    over = True
    for index, entry in enumerate(entries):
        with reading(index):
            kind = entry["kind"]
            # A later, harder stop of the same incarnation is acknowledged once more.
            anew = over and kind not in ("end", "ack")
            if anew or not incarnations or (kind == "open" and incarnation.opened):
                incarnation = Incarnation(incarnation.agent)
                incarnations.append(incarnation)
                over = False
            # So is one of an incarnation that was refused something since.
            b = str(entry.get("acked", "")) if kind == "ack" else ""
            of = next((other for other in incarnations if b and other.b == b), incarnation)
            of.b = of.b or b
            _journal_line(of, kind, entry, named)
            over = over or kind == "ack"
    for incarnation in [incarnation for incarnation in incarnations if incarnation.opened][:-1]:
        if not incarnation.stopped:
            incarnation.happened("over", "another incarnation began")
    for incarnation in incarnations:
        for line in incarnation.running.values():
            line.unknown = 1.0
        if not incarnation.opened:
            incarnation.agent = next((other.agent for other in incarnations if other.opened), agent)
    return incarnations


def _journal_line(
    incarnation: Incarnation, kind: str, entry: Mapping[str, Any], named: Named
) -> None:
    flying = float(len(incarnation.running))
    if kind == "open":
        incarnation.opened, incarnation.agent, incarnation.b = (
            True,
            str(entry["gate"]),
            str(entry["b"]),
        )
        named.describe(entry["panel"])
        incarnation.interlocks = tuple(
            f"{item['interlock']} {item['sensor']}" for item in entry["panel"]
        )
        incarnation.add(Line(OPENED, number(entry["t"]), in_flight=flying))
    elif kind in ("begin", "refused"):
        wanted, through = named.action(entry["action"]), kind == "begin"
        line = Line(ASKED, number(entry["t"]), wanted, wanted if through else NO_ACTION)
        line.mode, line.in_flight = _mode(entry["mode"]), flying
        line.late = float(through and (incarnation.stopped or not incarnation.opened))
        incarnation.add(line)
        if through:
            line.unknown = 0.0
            incarnation.running[int(entry["n"])] = incarnation.begun[int(entry["n"])] = line
    elif kind == "end":
        ended = incarnation.running.pop(int(entry["n"]), None)
        if ended is not None and entry["outcome"] not in ("done", "failed"):
            ended.unknown = 1.0
    elif kind == "stop":
        mode = _mode(entry["mode"])
        line = incarnation.add(Line(STOPPED, number(entry["t"]), mode=mode, in_flight=flying))
        if entry.get("at"):  # older journals have no wall clock
            line.ahead = number(entry["at"]) / 1000 - line.time
        incarnation.stopped = True
        incarnation.happened("stop", str(entry["cause"]))
        for bit, interlock in enumerate(incarnation.interlocks):
            for trip, at in (("exceeded", bit), ("unknown", bit + UNKNOWN)):
                if mode >> at & 1:
                    incarnation.happened("trip", f"{interlock} {trip}")
    elif kind == "ack":
        lost = [str(each) for each in entry["unknown"]]
        time = number(entry["t"])
        mode = incarnation.lines[-1].mode if incarnation.lines else 0
        incarnation.add(
            Line(ACKNOWLEDGED, time, mode=mode, in_flight=flying, unknown=float(len(lost)))
        )
        for each in lost:
            line_lost = incarnation.begun.get(_leading(each))
            if line_lost is not None:
                line_lost.unknown = 1.0
                incarnation.running.pop(_leading(each), None)
    else:
        raise ValueError(f"a journal has no entries of kind {kind!r}")


def laid_out(incarnations: Sequence[Incarnation], named: Named, where: str) -> Episode:
    """One episode an incarnation. Raises `BadAgent` for more than fits in memory."""
    incarnations = [incarnation for incarnation in incarnations if incarnation.lines]
    longest = max((len(incarnation.lines) for incarnation in incarnations), default=0)
    shape = (len(incarnations), longest)
    if shape[0] * shape[1] > MOST:
        raise BadAgent(
            f"{where} has {shape[0]:,} incarnations, the longest of {shape[1]:,} lines: too much "
            f"to lay out at once ({MOST:,} at most). Examine the journal of a shorter time."
        )
    proposed, executed = (np.zeros((*shape, 1, 1), np.int32) for _ in range(2))
    mode = np.zeros((shape[0], longest + 1, 1), np.int32)
    valid = np.zeros(shape, bool)
    world = {name: np.full(shape, NAN) for name in COLUMNS}
    players = list(dict.fromkeys(incarnation.agent for incarnation in incarnations))
    told: dict[int, str] = {each: name for name, each in named.actions.items()}
    events = []
    for b, incarnation in enumerate(incarnations):
        length = len(incarnation.lines)
        valid[b, :length] = True
        proposed[b, :length, 0, 0] = [line.proposed for line in incarnation.lines]
        executed[b, :length, 0, 0] = [line.executed for line in incarnation.lines]
        mode[b, 1 : length + 1, 0] = [line.mode for line in incarnation.lines]
        for name in COLUMNS:
            world[name][b, :length] = [getattr(line, name) for line in incarnation.lines]
        events += [Event(b, t, 0, kind, text) for t, kind, text in incarnation.events]
        for t, line in enumerate(incarnation.lines):
            if line.proposed in told:  # where it was first asked for
                events.append(Event(b, t, 0, "action", told.pop(line.proposed)))
    nothing, no = np.full((*shape, 1), NAN), np.zeros((*shape, 1), bool)
    return Episode(
        proposed=proposed,
        executed=executed,
        levels=nothing,
        rewards=nothing,
        mode=mode,
        valid=valid,
        seats=np.array(
            [[players.index(incarnation.agent)] for incarnation in incarnations], np.int32
        ).reshape(-1, 1),
        forced=no,
        illegal=no,
        world=world,
        row=np.zeros(shape[0], np.int32),
        repeat=np.arange(shape[0], dtype=np.int32),
        players=tuple(players),
        events=tuple(events),
    )


def number(value: Any) -> float:
    """Seconds; null, which a journal writes for what is not a finite number, is NaN."""
    return NAN if value is None else float(value)


def _mode(value: Any) -> int:
    mode = int(value)
    if not 0 <= mode < 2**31:
        raise ValueError(f"{value!r:.40} is not a mode")
    return mode


def _leading(text: str) -> int:
    """The number of an action in `7:pay`; -1 for other words."""
    digits = text.partition(":")[0]
    return int(digits) if digits.isdecimal() else -1
