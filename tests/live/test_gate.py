"""The gate: who is admitted, what stops it, in which order a stop proceeds, what it remembers."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.worlds import (
    Wire,
    authority,
    enrolled,
    gate_of,
    held,
    orders,
    pair,
    press,
    signed,
    stop,
    store,
)

from freezetag.core import NO_PANEL, Panel, PowerLimit, RuntimeLimit, StopButton, UserError
from freezetag.core.gate import GateLike, Refused
from freezetag.core.journal import Journal, read
from freezetag.live.gate.clock import SteppedClock, boot_clock
from freezetag.live.gate.latch import LatchError, LatchFile, MemoryLatch
from freezetag.live.signed.presses import Presses

# Opening.


def test_nothing_is_admitted_before_a_lease_or_after_it() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer))
    wire = Wire(gate, {"own": overseer})
    with pytest.raises(Refused, match="no lease"):
        gate.begin("pay")
    wire.renew()
    gate.end(gate.begin("pay"))
    clock.advance(4.999)
    gate.check()
    clock.advance(0.001)
    with pytest.raises(Refused, match="expired"):
        gate.begin("pay")
    assert isinstance(gate, GateLike)


def test_a_lease_counts_from_the_moment_of_asking() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer))
    gate.ask()
    frame = gate.take()[0].text
    clock.advance(3)
    answer, records = overseer.on_frame(frame)
    store(overseer, records)
    clock.advance(1)
    assert gate.receive("own", answer or "")
    clock.advance(0.9)
    assert gate.is_open
    clock.advance(0.1)
    assert not gate.is_open


def test_without_a_panel_nothing_is_let_through() -> None:
    assert gate_of(SteppedClock()).is_open  # a simulated clock needs no authority
    bare = gate_of(SteppedClock(), panel=None)
    assert not bare.is_open
    assert bare.mode == NO_PANEL
    with pytest.raises(Refused, match="no panel"):
        bare.begin("pay")


def test_a_gate_on_a_live_clock_needs_an_authority() -> None:
    with pytest.raises(UserError, match="needs an authority"):
        gate_of(boot_clock())


def test_a_grant_longer_than_agreed_is_cut() -> None:
    clock = SteppedClock()
    overseer = authority(clock, length=60.0)
    enrolled(overseer)
    overseer.length = 5.0
    mine = held(overseer)
    overseer.length = 60.0
    gate = gate_of(clock, mine)
    Wire(gate, {"own": overseer}).renew()
    clock.advance(5)
    assert not gate.is_open


def test_every_authority_must_hold_and_any_may_stop() -> None:
    clock = SteppedClock()
    first, second = authority(clock, "first"), authority(clock, "second", length=2.0)
    gate = gate_of(clock, enrolled(first), enrolled(second))
    wire = Wire(gate, {"first": first, "second": second})
    gate.ask()
    to_first = [order for order in gate.take() if order.authority == "first"]
    answer, records = first.on_frame(to_first[0].text)
    store(first, records)
    gate.receive("first", answer or "")
    assert not gate.is_open  # one of two
    wire.renew()
    assert gate.is_open
    clock.advance(2.0)
    assert not gate.is_open  # the least of the leases counts
    gate.reopen()
    wire.renew()
    stop(gate, second)
    wire.turn()
    assert gate.phase == "stopped"
    # The other authority's people cannot clear it.
    foreign = signed(second.draft(), "ann", "bob")
    gate._links["first"].presses.clear(foreign)
    gate.reopen()
    assert gate.presses


# Stopping.


def test_a_stop_proceeds_in_order_and_is_acknowledged_only_when_nothing_runs() -> None:
    _, overseer, gate, wire = pair(category=2)
    heard: list[str] = []
    first = gate.begin("a", cancel=lambda: heard.append("cancelled"))
    second = gate.begin("b")
    stop(gate, overseer, category=2)
    assert gate.phase == "stopping"
    assert heard == ["cancelled"]
    assert orders(gate) == ["cancel"]  # b has no function to call, so the host is asked
    with pytest.raises(Refused, match="because"):
        gate.begin("c")
    gate.end(first)
    assert gate.phase == "stopping"
    gate.end(second, "unknown")
    assert gate.phase == "stopped"
    wire.turn()
    (row,) = overseer.shown("agent")
    assert row.unknown == ("2:b",)
    assert row.shown == "unknown_in_flight"


def test_category_0_kills_at_once_and_waits_for_the_kill() -> None:
    _, overseer, gate, wire = pair(kills=True)
    number = gate.begin("a")
    stop(gate, overseer)
    assert orders(gate) == ["cancel", "kill"]
    gate.tick()
    assert gate.phase == "stopping"
    gate.killed()
    assert gate.phase == "stopped"
    gate.end(number)  # the late return of a killed action changes nothing
    wire.turn()
    assert overseer.shown("agent")[0].unknown == ("1:a",)


def test_category_0_kills_even_if_nothing_is_in_flight() -> None:
    _, overseer, gate, _ = pair(kills=True)
    stop(gate, overseer)
    assert orders(gate) == ["kill"]
    assert gate.phase == "stopping"


def test_category_1_runs_the_policy_first_and_at_most_for_the_drain() -> None:
    clock, overseer, gate, _ = pair(kills=True, stop_policy=True, drain=3.0)
    gate.begin("a")
    stop(gate, overseer, category=1)
    (order,) = gate.take()
    assert (order.kind, order.deadline) == ("policy", 3.0)
    gate.policy_done(["valve closed"])
    assert orders(gate) == ["cancel", "kill"]
    gate.killed()
    assert gate.phase == "stopped"

    clock, overseer, gate, _ = pair(kills=True, stop_policy=True, drain=3.0)
    stop(gate, overseer, category=1)
    assert orders(gate) == ["policy"]
    clock.advance(3.0)
    gate.tick()
    assert orders(gate) == ["kill"]


def test_category_2_kills_only_what_outlasts_the_drain() -> None:
    clock, overseer, gate, _ = pair(kills=True, category=2, drain=3.0)
    gate.begin("a")
    stop(gate, overseer, category=2)
    assert orders(gate) == ["cancel"]
    clock.advance(2.9)
    gate.tick()
    assert orders(gate) == []
    clock.advance(0.1)
    gate.tick()
    assert orders(gate) == ["kill"]


@pytest.mark.parametrize("first", [1, 2])
def test_the_higher_demand_wins_also_after_the_stop(first: int) -> None:
    _, overseer, gate, _ = pair(kills=True, category=2, stop_policy=True)
    stop(gate, overseer, 1, category=first)
    gate.take()
    stop(gate, overseer, 2, category=0)
    if first == 2:
        gate.receive("own", frame_of_stop(overseer, gate))
    assert "kill" in orders(gate)
    assert gate.phase == "stopping"


def frame_of_stop(overseer: Any, gate: Any) -> str:
    state = overseer.facts.presses.to_json()
    message = {"kind": "stop", "gate": gate.name, "b": gate.b, "state": state}
    return str(overseer._seal(gate.name, gate.b, message))


def test_a_gate_that_cannot_kill_waits_for_what_runs() -> None:
    clock, overseer, gate, _ = pair()
    number = gate.begin("a")
    stop(gate, overseer)
    clock.advance(1000)
    gate.tick()
    assert gate.phase == "stopping"
    gate.end(number)
    assert gate.phase == "stopped"


# Coming back.


def test_reset_is_not_restart() -> None:
    _, overseer, gate, wire = pair()
    stop(gate, overseer)
    wire.turn()
    gate.reopen()
    wire.renew()
    assert not gate.is_open
    assert overseer.clear(signed(overseer.draft(), "ann")) == []
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    wire.renew()
    assert gate.presses == ()
    wire.renew()
    assert not gate.is_open  # HELD
    store(overseer, overseer.start("agent", "ann"))
    wire.renew()
    assert gate.is_open


def test_expiry_rearms_by_itself_only_after_a_short_silence() -> None:
    clock, overseer, gate, wire = pair()
    clock.advance(30)
    gate.tick()
    wire.turn()
    gate.reopen()
    wire.renew()
    assert gate.is_open
    assert overseer.spurious == 1
    clock.advance(61)
    gate.tick()
    wire.turn()
    gate.reopen()
    wire.renew()
    assert not gate.is_open
    assert not overseer.facts.agents["agent"].started


def test_late_and_repeated_grants_revive_nothing() -> None:
    clock, overseer, gate, wire = pair()
    gate.ask()
    frame = gate.take()[0].text
    grant, records = overseer.on_frame(frame)
    store(overseer, records)
    assert grant is not None
    clock.advance(5)
    gate.tick()
    assert gate.phase == "stopped"
    assert not gate.receive("own", grant)
    gate.reopen()
    assert not gate.receive("own", grant)  # of another incarnation
    assert gate.phase == "waiting"
    assert gate.dropped == 2
    wire.turn()


def test_a_grant_of_an_epoch_that_a_press_ended_is_stale() -> None:
    _, overseer, gate, wire = pair()
    stop(gate, overseer)
    wire.turn()
    gate.reopen()
    # A corrupted server holds a good clearance back and grants the old epoch.
    cleared = Presses(clearances=[signed(overseer.draft(), "ann", "bob")])
    gate._links["own"].presses.merge(cleared)
    gate._count_presses()
    assert not gate.presses
    gate.ask()
    epoch = overseer.facts.agents["agent"].epoch
    for barred, opens in ((epoch, False), (epoch + 1, True)):
        message = {
            "kind": "grant",
            "gate": "agent",
            "b": gate.b,
            "n": 1,
            "length": 5.0,
            "epoch": barred,
            "scope": [],
            "slice": {},
            "runtime": 0.0,
            "checkpoint": "",
            "proof": [],
        }
        assert gate.receive("own", overseer._seal("agent", gate.b, message)) == opens
    assert gate.is_open


@pytest.mark.parametrize("store_class", [LatchFile, MemoryLatch])
def test_a_press_survives_the_gate(store_class: Any, tmp_path: Path) -> None:
    latch = LatchFile(tmp_path / "latch") if store_class is LatchFile else MemoryLatch()
    clock, overseer, gate, _ = pair(latch=latch)
    stop(gate, overseer)
    again = gate_of(clock, held(overseer), latch=latch)
    assert [one.reason for one in again.presses] == ["because"]
    assert again._ack is None  # it ended in order, so nothing is unknown
    # A server that forgot the press is told it again, and cannot free the gate.
    fresh = authority(clock)
    enrolled(fresh)
    wire = Wire(again, {"own": fresh})
    wire.renew()
    assert not again.is_open


def test_a_crash_with_an_open_gate_comes_back_as_unknown() -> None:
    latch = MemoryLatch()
    clock, overseer, gate, _ = pair(latch=latch)
    gate.begin("a")
    again = gate_of(clock, held(overseer), latch=latch, fresh=lambda size: "ab" * size)
    wire = Wire(again, {"own": overseer})
    wire.renew()
    assert {row.b: row.shown for row in overseer.shown("agent")}[gate.b] == "unknown_in_flight"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"dirty":null,"links":{"own":{}}}', b"\xff"]
)
def test_an_unreadable_latch_keeps_the_gate_shut(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "latch").write_bytes(content)
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer), latch=LatchFile(tmp_path / "latch"))
    Wire(gate, {"own": overseer}).renew()
    assert gate.alarms
    assert not gate.is_open
    # It is a press like any other: people clear it.
    assert [one.kind for one in overseer.facts.standing("agent")] == ["interlock"]


def test_a_latch_that_cannot_be_written_stops_first_and_says_so() -> None:
    class Full(MemoryLatch):
        full = False

        def save(self, data: dict[str, Any]) -> None:
            if self.full:
                raise LatchError("no space left on device")
            super().save(data)

    latch = Full()
    _, overseer, gate, _ = pair(latch=latch)
    latch.full = True
    stop(gate, overseer)
    assert gate.phase == "stopped"
    assert any("no space" in alarm for alarm in gate.alarms)


def test_a_latch_that_hangs_does_not_hold_up_the_kill() -> None:
    closing, go_on = threading.Event(), threading.Event()

    class Hangs(MemoryLatch):
        def save(self, data: dict[str, Any]) -> None:
            if closing.is_set():
                go_on.wait(5)
            super().save(data)

    _, overseer, gate, _ = pair(latch=Hangs(), kills=True)
    gate.begin("a")
    store(overseer, overseer.press(press(1)))
    ((_, _, frame),) = overseer.stop_frames()
    closing.set()
    hearing = threading.Thread(target=gate.receive, args=("own", frame))
    hearing.start()
    seen: list[str] = []
    while "kill" not in seen and hearing.is_alive():
        seen += orders(gate)
    assert hearing.is_alive()  # still waiting for the disk
    go_on.set()
    hearing.join()
    assert "kill" in seen


# Limits and meters.


@pytest.mark.parametrize("bad", [math.nan, None, "3", RuntimeError])
def test_a_lost_meter_stops_the_agent(bad: Any) -> None:
    value: Any = 1.0

    def meter() -> float:
        if value is RuntimeError:
            raise value("gone")
        return value

    panel = Panel((PowerLimit(3.0, sensor="power"),))
    _, _, gate, _ = pair(panel=panel, meters={"power": meter})
    assert gate.is_open
    value = bad
    with pytest.raises(Refused):
        gate.begin("pay")
    assert gate.cause == "unknown"
    assert gate.presses == ()  # mild: the next incarnation reads afresh
    gate.reopen()
    assert gate.phase == "waiting"


def test_a_limit_at_the_gate_becomes_a_press_that_people_clear() -> None:
    power = 1.0
    panel = Panel((PowerLimit(3.0, sensor="power"),))
    _, overseer, gate, wire = pair(panel=panel, meters={"power": lambda: power})
    power = 3.1
    assert not gate.is_open
    power = 1.0
    wire.turn()
    gate.reopen()
    wire.renew()
    assert not gate.is_open
    (entered,) = overseer.facts.standing("agent")
    assert (entered.kind, entered.who) == ("interlock", "interlock:power")


def test_runtime_is_counted_by_both_sides() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(
        clock, enrolled(overseer, runtime=8.0), panel=Panel((RuntimeLimit(8.0, unit="seconds"),))
    )
    wire = Wire(gate, {"own": overseer})
    wire.renew()
    for _ in range(4):
        clock.advance(1.9)
        gate.check()
        wire.renew()
    clock.advance(0.4)
    assert not gate.is_open
    wire.turn()
    gate.reopen()
    wire.renew()
    assert overseer.facts.standing("agent")


def test_the_lease_carries_a_slice_of_the_budget() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, usd=8.0), meters={"usd": None})
    wire = Wire(gate, {"own": overseer})
    wire.renew()
    gate.spend("usd", 1.9)
    gate.check()
    gate.end(gate.begin("buy"))
    gate.spend("usd", 0.1)
    with pytest.raises(Refused, match="slice of usd"):
        gate.begin("buy")
    wire.renew()
    gate.begin("buy")
    gate.spend("usd", math.nan)
    with pytest.raises(Refused, match="slice of usd"):
        gate.begin("buy")


# Strict gates, clocks, forks.


@pytest.mark.parametrize(
    ("seconds", "admitted"),
    [(3.0, True), (3.1, False), (None, False), (math.nan, False), (-1.0, False), (6.0, False)],
)
def test_strict_admits_what_surely_ends_within_the_lease(seconds: Any, admitted: bool) -> None:
    clock, _, gate, _ = pair(strict=True)
    clock.advance(2.0)
    if admitted:
        gate.begin("a", max_seconds=seconds)
    else:
        with pytest.raises(Refused):
            gate.begin("a", max_seconds=seconds)
        assert gate.is_open  # refused, not stopped


# What fails around it.


def test_a_meter_that_is_not_there_cannot_be_spent_on() -> None:
    _, _, gate, _ = pair(meters={"usd": None})
    with pytest.raises(UserError, match=r"no meter 'eur'.*usd"):
        gate.spend("eur", 1.0)


# What it writes.


def test_the_journal_keeps_what_decided_and_a_replay_decides_the_same() -> None:
    lines: list[bytes] = []
    power = 1.0
    panel = Panel((PowerLimit(3.0, sensor="power"),))
    _, _, gate, _ = pair(
        panel=panel, meters={"power": lambda: power}, journal=Journal(lines.append)
    )
    gate.end(gate.begin("a", detail={"to": "x"}))
    power = 4.0
    with pytest.raises(Refused):
        gate.begin("b")
    entries = list(read(lines))
    assert [entry["kind"] for entry in entries] == [
        "open",
        "begin",
        "end",
        "stop",
        "ack",
        "refused",
    ]
    wired = Panel((*panel.interlocks, StopButton()))
    for entry in entries:
        if "reading" in entry:
            # The watchdogs, by their limits in the "open" entry, are left out here.
            assert (wired.latch(0, entry["reading"]) == 0) == (entry["kind"] == "begin")


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_whatever_arrives_a_gate_never_raises_and_never_opens(frame: Any) -> None:
    clock = SteppedClock()
    gate = gate_of(clock, held(authority(clock)))
    assert not gate.receive("own", frame)
    assert not gate.receive("stranger", frame)
    assert not gate.is_open
