"""A gate whose disk, meter or wall clock hangs or fails at the worst moment."""

from __future__ import annotations

from typing import Any

import pytest
from tests.live.worlds import pair

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.core.journal import Journal, read
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.replay import replay


class SlowDisk:
    """Takes 30 s for the entry of an admission, once it is `slow`."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.slow = False
        self.clock = SteppedClock()

    def write(self, line: bytes) -> None:
        if self.slow and b'"kind":"begin"' in line:
            self.clock.advance(30.0)
        self.lines.append(line)


def with_slow_disk(length: float = 5.0, **settings: Any) -> tuple[SlowDisk, Gate]:
    disk = SlowDisk()
    disk.clock, _, gate, _ = pair(length, journal=Journal(disk.write), **settings)
    disk.slow = True
    return disk, gate


def test_a_journal_that_outlasts_the_lease_admits_nothing() -> None:
    disk, gate = with_slow_disk()
    cancelled: list[str] = []
    with pytest.raises(Refused, match="expired"):
        gate.begin("pay", cancel=lambda: cancelled.append("pay"))
    assert (gate.phase, gate.in_flight, cancelled) == ("stopped", 0, [])
    told = [(entry["kind"], entry.get("n"), entry.get("outcome")) for entry in read(disk.lines)]
    assert told[-4:] == [
        ("begin", 1, None),
        ("stop", None, None),
        ("end", 1, "failed"),
        ("ack", None, None),
    ]
    assert replay(disk.lines).same


def test_a_strict_gate_counts_the_time_that_its_journal_took() -> None:
    disk, gate = with_slow_disk(60.0, strict=True)
    with pytest.raises(Refused, match="the lease ends before"):
        gate.begin("pay", max_seconds=40.0)
    assert gate.is_open
    assert gate.in_flight == 0
    disk.slow = False
    gate.begin("pay", max_seconds=20.0)


def test_a_meter_that_outlasts_the_lease_admits_nothing() -> None:
    clock = SteppedClock()
    slow = False

    def power() -> float:
        if slow:
            clock.advance(30.0)
        return 1.0

    clock, _, gate, _ = pair(panel=Panel((PowerLimit(3.0),)), meters={"power": power})
    slow = True
    with pytest.raises(Refused, match="expired"):
        gate.begin("pay")


def test_a_wall_clock_that_fails_at_a_trip_is_no_reason_to_go_on() -> None:
    """The press that a limit becomes says when it was; not to know that is no reason to act."""
    wall, power = SteppedClock(1e9), 1.0
    panel = Panel((PowerLimit(3.0),))
    _, _, gate, _ = pair(panel=panel, meters={"power": lambda: power}, wall=wall)
    power, wall.now = 4.0, float("nan")
    for _ in range(2):
        with pytest.raises(Refused, match="PowerLimit tripped"):
            gate.begin("pay")
