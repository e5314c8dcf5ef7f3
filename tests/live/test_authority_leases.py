"""Which leases the authority counts as outstanding, and whose word ends one."""

from __future__ import annotations

import json

import pytest
from tests.live.ledgers import Ledger, asked, renew
from tests.live.worlds import (
    authority,
    counter,
    enrolled,
    gate_of,
    held,
    pair,
    press,
    signed,
    stop,
    store,
)

from freezetag.live.authority.authority import ResetError
from freezetag.live.authority.states import Shown
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.signed.frames import RHO, glance, settle


def copied(latch: MemoryLatch) -> MemoryLatch:
    copy = MemoryLatch()
    memory = latch.load()
    assert memory is not None
    copy.save(json.loads(json.dumps(memory)))
    return copy


# The lease that was granted is the one that is waited out.


def test_after_a_restart_with_shorter_leases_the_old_ones_are_waited_out() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock, length=60.0)
    ledger.start()
    gate = gate_of(clock, held(ledger.server))
    assert ledger.renew(gate) == "grant"
    ledger.restart(length=5.0)
    ledger.store(ledger.server.press(press(1)))
    ledger.store(ledger.server.clear(signed(ledger.server.draft(), "ann", "bob")))
    clock.advance(59.0)
    assert gate.is_open
    assert ledger.server.longest() == 60.0
    assert ledger.server.banner() == Shown.STOPPING
    with pytest.raises(ResetError, match="earlier lease"):
        ledger.server.start("agent", "ann")
    clock.advance(1.1)  # by a good clock it is over, by a slow one not yet
    with pytest.raises(ResetError, match="earlier lease"):
        ledger.server.start("agent", "ann")
    clock.advance(0.1)
    assert not gate.is_open
    assert ledger.server.longest() == 5.0
    ledger.store(ledger.server.start("agent", "ann"))


def test_a_life_that_gets_longer_leases_is_waited_out_by_them() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock, length=5.0)
    ledger.start()
    mine = held(ledger.server)
    gate = gate_of(clock, type(mine)("own", mine.key, mine.roster, 60.0))
    assert ledger.renew(gate) == "grant"
    ledger.restart(length=60.0)
    assert ledger.renew(gate) == "grant"
    ledger.restart(length=5.0)
    ledger.store(ledger.server.press(press(1)))
    clock.advance(59.0)
    assert gate.is_open
    assert ledger.server.banner() == Shown.STOPPING


def test_a_lease_whose_length_no_record_tells_counts_as_a_minute() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock, length=60.0)
    ledger.start()
    gate = gate_of(clock, held(ledger.server))
    ledger.renew(gate)
    ledger.forgets("length")
    ledger.restart(length=5.0)
    ledger.store(ledger.server.press(press(1)))
    clock.advance(59.0)
    assert gate.is_open
    assert ledger.server.banner() == Shown.STOPPING


def test_a_shorter_grant_does_not_take_the_longer_one_back() -> None:
    """And a lease is waited out with the error of both clocks, not just for its length."""
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, runtime=8.0))
    assert renew(overseer, gate) == "grant"
    until = clock() + settle(5.0)
    clock.advance(4.9)
    overseer.on_frame(asked(gate))  # 3.1 s are left of the runtime, so it ends at 8.0
    later = clock() + settle(3.1)
    twin = gate_of(clock, held(overseer), fresh=counter(500))
    clock.now = until - RHO
    assert renew(overseer, twin) == "waiting"
    clock.now = later - RHO
    assert renew(overseer, twin) == "waiting"


def test_a_grant_near_the_end_of_the_runtime_leaves_the_lease_before_it_outstanding() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, runtime=100.0))
    assert renew(overseer, gate) == "grant"
    clock.advance(1.0)
    store(overseer, overseer.enrol("agent", limits={"runtime": 1.5}))  # lower: no start needed
    assert renew(overseer, gate) == "grant"  # of half a second
    store(overseer, overseer.press(press(1)))
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    clock.advance(4.0 + RHO)  # the first lease ends at 5.0 by a good clock, later by a slow one
    with pytest.raises(ResetError, match="earlier lease"):
        overseer.start("agent", "ann")


# Whose word ends a lease.


def test_a_copied_latch_does_not_end_the_lease_of_the_life_it_names() -> None:
    clock, overseer, gate, _ = pair()
    twin = gate_of(clock, held(overseer), fresh=counter(500), latch=copied(gate._memory._latch))
    assert renew(overseer, twin) == "waiting"  # "crashed", says it; the first is open
    assert gate.is_open
    assert not twin.is_open
    assert renew(overseer, gate) == "clone"  # which gives the copy away
    assert "acknowledged" in overseer.alarms[-1]
    assert overseer.banner() == Shown.UNKNOWN
    assert renew(overseer, twin) == "held"
    clock.advance(6)
    assert not gate.is_open
    assert renew(overseer, twin) == "held"
    assert overseer.banner() == Shown.UNKNOWN


def test_a_press_is_pushed_to_a_life_that_another_called_crashed() -> None:
    clock, overseer, gate, _ = pair()
    latch = copied(gate._memory._latch)
    twin = gate_of(clock, held(overseer), fresh=counter(500), latch=latch)
    assert renew(overseer, twin) == "waiting"
    store(overseer, overseer.press(press(1)))
    assert gate.b in [b for _, b, _ in overseer.stop_frames()]


def test_a_life_that_acknowledged_and_goes_on_is_held() -> None:
    """A machine was copied with its gate open; one copy stops and says so, the other runs on."""
    clock, overseer, gate, _ = pair()
    clock.advance(1)
    text = asked(gate)  # what the copy sends
    late = [asked(gate) for _ in range(3)][-1]
    gate.press("stop")
    gate.take()
    _, records = overseer.on_frame(ack_of(gate))
    store(overseer, records)
    answer, records = overseer.on_frame(text)  # perhaps only overtaken on its way
    assert json.loads((answer or "")[65:])["reason"] == "waiting"
    assert not any(kind == "held" for kind, _ in records)
    clock.advance(2)
    answer, records = overseer.on_frame(late)
    assert json.loads((answer or "")[65:])["reason"] == "clone"
    store(overseer, records)
    assert overseer.banner() == Shown.UNKNOWN
    assert not overseer.facts.agents["agent"].started
    with pytest.raises(ResetError, match="earlier lease"):
        overseer.start("agent", "ann")
    _, records = overseer.on_frame(ack_of(gate))  # its word is worth nothing any more
    assert records == []
    with pytest.raises(ResetError, match="earlier lease"):
        overseer.start("agent", "ann")
    assert overseer.banner() == Shown.UNKNOWN
    clock.advance(5.1)
    store(overseer, overseer.start("agent", "ann"))


@pytest.mark.parametrize("relayed", [False, True])
def test_a_renewal_that_an_acknowledgement_overtook_is_no_copy_however_late_it_comes(
    relayed: bool,
) -> None:
    """It waited behind another for a slow disk, while the acknowledgement came by a new way."""
    clock, overseer, gate, _ = pair()
    late = [asked(gate) for _ in range(3)]
    stop(gate, overseer)
    (told,) = [order.text for order in gate.take() if order.kind == "send"]
    last = glance(late[-1])
    beyond = gate._links["own"].seal({**last, "n": last["n"] + 1})  # a copy that goes on says it
    if relayed:
        gate.reopen()
        told = asked(gate)
    store(overseer, overseer.on_frame(told)[1])
    clock.advance(4)
    for text in late:
        answer, records = overseer.on_frame(text)
        assert json.loads((answer or "")[65:])["reason"] == "pressed"
        assert {kind for kind, _ in records} <= {"anchor"}
    assert not overseer.alarms
    overseer.on_frame(beyond)
    assert "a cloned gate" in overseer.alarms[-1]


def test_its_own_word_counts_though_the_next_life_speaks_before_that_is_stored() -> None:
    """The disk is slow: what was decided is not in the ledger yet."""
    _, overseer, gate, _ = pair()
    stop(gate, overseer)
    (ack,) = [order.text for order in gate.take() if order.kind == "send"]
    _, own = overseer.on_frame(ack)
    gate.reopen()
    _, told = overseer.on_frame(asked(gate))
    store(overseer, own + told)
    assert overseer.banner() == Shown.ACKNOWLEDGED
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.start("agent", "ann"))


def ack_of(gate: Gate) -> str:
    ack = {**(gate._ack or {}), "presses": []}
    return gate._links["own"].seal({"kind": "ack", "gate": gate.name, "b": gate.b, **ack})


def test_its_own_acknowledgement_ends_a_lease_at_once() -> None:
    _, overseer, _, wire = pair()
    store(overseer, overseer.press(press(1)))
    wire.renew()
    wire.turn()
    assert overseer.banner() == Shown.ACKNOWLEDGED
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.start("agent", "ann"))


def test_an_acknowledgement_that_only_the_next_life_relays_waits_for_the_lease() -> None:
    clock, overseer, gate, _ = pair()
    store(overseer, overseer.press(press(1)))
    gate.receive("own", overseer.stop_frames()[0][2])
    gate.take()  # its acknowledgement is lost
    gate.reopen()
    assert renew(overseer, gate) == "pressed"
    assert overseer.banner() == Shown.STOPPING
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    with pytest.raises(ResetError, match="earlier lease"):
        overseer.start("agent", "ann")
    clock.advance(5.1)
    assert overseer.banner() in (Shown.ACKNOWLEDGED, Shown.HELD)
    store(overseer, overseer.start("agent", "ann"))


@pytest.mark.parametrize("old", [False, True])
def test_a_restart_knows_whose_word_it_was(old: bool) -> None:
    """An older record does not tell; then its lease is waited out."""
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start()
    gate = gate_of(clock, held(ledger.server))
    ledger.renew(gate)
    ledger.store(ledger.server.press(press(1)))
    ledger.renew(gate)
    _, records = ledger.server.on_frame(gate.take()[-1].text)
    assert ledger.store(records) == ["ack"]
    ledger.store(ledger.server.clear(signed(ledger.server.draft(), "ann", "bob")))
    if old:
        ledger.forgets("own")
    ledger.restart()
    if old:
        with pytest.raises(ResetError, match="earlier lease"):
            ledger.server.start("agent", "ann")
        clock.advance(5.1)
    ledger.store(ledger.server.start("agent", "ann"))


# Starts, and silence.


def test_two_starts_at_once_are_one() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    store(overseer, overseer.enrol("agent"))
    first = overseer.start("agent", "ann")
    with pytest.raises(ResetError, match="being started"):
        overseer.start("agent", "bob")
    store(overseer, first)
    gate = gate_of(clock, held(overseer))
    assert renew(overseer, gate) == "grant"
    store(overseer, [("held", {"agent": "agent", "why": "a doubt"}), *first])
    assert not overseer.facts.agents["agent"].started  # twice in a ledger, it is once
    assert [row.b for row in overseer.shown("agent")] == [gate.b]


def test_a_start_that_could_not_be_written_can_be_tried_again() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    store(overseer, overseer.enrol("agent"))
    overseer.start("agent", "ann")  # and the disk is full
    clock.advance(60)
    store(overseer, overseer.start("agent", "ann"))
    assert overseer.facts.agents["agent"].started


def test_a_replayed_renewal_breaks_no_silence() -> None:
    clock, overseer, gate, wire = pair()
    frame = asked(gate)
    _, records = overseer.on_frame(frame)
    store(overseer, records)
    clock.advance(3600)
    gate.tick()
    wire.turn()
    overseer.on_frame(frame)
    gate.reopen()
    assert renew(overseer, gate) == "held"
