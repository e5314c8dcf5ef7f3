"""What fails in a gate or under it is no reason to go on: clocks, forks, journals, callbacks."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest
from tests.live.worlds import gate_of, held, orders, pair, press, stop, store

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.core.journal import Journal
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.latch import MemoryLatch


@pytest.mark.parametrize("to", [-0.001, math.nan])
def test_a_clock_that_runs_backwards_closes(to: float) -> None:
    clock, _, gate, wire = pair()
    clock.advance(1)
    gate.check()
    clock.now = clock.now + to
    assert not gate.is_open
    assert gate.cause == "clock"
    clock.now = 0.5
    gate.reopen()
    wire.renew()
    assert gate.phase in ("waiting", "open")


def test_clock_and_wall_drifting_apart_by_a_jump_closes() -> None:
    wall = SteppedClock(1e9)
    clock, _, gate, _ = pair(wall=wall)
    for _ in range(4):
        clock.advance(0.5)
        wall.advance(0.9)  # a slow drift is no jump
        gate.tick()
    assert gate.is_open
    wall.advance(0.6)
    gate.tick()
    assert gate.cause == "clock"


@pytest.mark.parametrize("pressed", [False, True], ids=["", "pressed meanwhile"])
def test_a_suspend_with_an_action_open_ends_in_one_renewal_if_nobody_pressed(pressed: bool) -> None:
    clock, overseer, gate, wire = pair()
    number = gate.begin("pay")
    if pressed:
        store(overseer, overseer.press(press(1)))
    clock.advance(30)  # of which nothing was seen
    with pytest.raises(Refused):
        gate.begin("pay")
    assert (gate.phase, gate.cause, orders(gate)) == ("stopping", "expired", ["cancel"])
    gate.end(number, "unknown")
    assert gate.phase == "stopped"
    wire.turn()
    assert overseer.shown("agent")[0].unknown == ("1:pay",)
    gate.reopen()
    wire.renew()
    assert gate.is_open is not pressed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_a_forked_copy_is_closed() -> None:
    _, _, gate, _ = pair()
    assert gate.is_open
    child = os.fork()
    if child == 0:
        shut = not gate.is_open and gate.cause == "forked" and not gate.reopen()
        os._exit(0 if shut else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gate.is_open


def fails(*args: Any) -> Any:
    raise RuntimeError("broken")


def test_a_clock_that_fails_is_no_reason_to_go_on() -> None:
    for which in ("_clock", "_wall"):
        _, _, gate, _ = pair(wall=SteppedClock(1e9))
        setattr(gate._time, which, fails)
        gate.tick()
        assert gate.phase == "stopped"
        assert gate.cause == "clock"


def test_an_interlock_that_fails_is_no_reason_to_go_on() -> None:
    class Own:
        sensor, unit = "power", ""

        def trips(self, value: Any) -> Any:
            return 0 if value < 3 else fails()

    power = 1.0
    _, _, gate, _ = pair(panel=Panel((Own(),)), meters={"power": lambda: power})
    assert gate.is_open
    power = 4.0
    with pytest.raises(Refused):
        gate.begin("a")
    assert (gate.phase, gate.cause) == ("stopped", "unknown")


def test_callbacks_that_fail_hold_up_no_stop() -> None:
    _, overseer, gate, _ = pair(poke=fails)
    number = gate.begin("a", cancel=fails)
    stop(gate, overseer)
    assert gate.phase == "stopping"
    assert "cancel" in orders(gate)  # the host is asked instead
    gate.end(number)
    assert gate.phase == "stopped"


@pytest.mark.parametrize("here", [True, False])
def test_a_press_survives_a_crash_before_the_drain_ends(here: bool) -> None:
    """The latch is written when the gate closes, not when the stop is complete."""
    latch = MemoryLatch()
    power = 1.0
    panel = Panel((PowerLimit(3.0, sensor="power"),))
    clock, overseer, gate, _ = pair(panel=panel, meters={"power": lambda: power}, latch=latch)
    gate.begin("a")
    if here:
        power = 4.0
        assert not gate.is_open
    else:
        stop(gate, overseer)
    assert gate.phase == "stopping"
    assert gate_of(clock, held(overseer), latch=latch, fresh=lambda n: "ab" * n).presses


def test_a_journal_that_cannot_be_written_admits_nothing() -> None:
    lines: list[bytes] = []

    def write(line: bytes) -> None:
        if b'"begin"' in line:
            raise OSError(28, "no space left on device")
        lines.append(line)

    _, _, gate, _ = pair(journal=Journal(write))
    with pytest.raises(Refused, match="journal"):
        gate.begin("a")
    assert gate.in_flight == 0
    assert gate.last == 0
