"""What is spent on a gate's own meters: it counts for the epoch, and nothing is given back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.live.worlds import Wire, authority, enrolled, gate_of, pair, signed, store

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.live.gate.clock import SteppedClock


def test_what_was_spent_counts_for_the_epoch_and_not_for_the_lease() -> None:
    """A lease that runs out and is granted again gives nothing back; a start by people does."""
    panel = Panel((PowerLimit(100.0, sensor="usd"),))
    clock, overseer, gate, wire = pair(panel=panel, meters={"usd": None})
    spent = 0.0
    for _ in range(5):
        if not gate.is_open:
            break
        gate.spend("usd", 99.0)
        spent += 99.0
        if not gate.is_open:
            break
        clock.advance(6.0)
        gate.tick()
        wire.turn()
        gate.reopen()
        wire.renew()
    assert spent == 198.0, "the action that passes the limit is the last one"
    assert gate.presses[0].who == "interlock:usd"
    assert overseer.facts.agents["agent"].epoch == 1
    wire.turn()
    gate.reopen()
    wire.renew()
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.start("agent", "ann"))
    wire.renew()
    assert not gate.presses
    wire.renew()
    assert gate.is_open, "a new epoch counts from zero"
    gate.spend("usd", 99.0)
    assert gate.is_open


def test_the_slice_of_a_lease_is_for_its_incarnation() -> None:
    """An authority adds up what the incarnations say; each says what it spent itself."""
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, usd=8.0), meters={"usd": None})
    wire = Wire(gate, {"own": overseer})
    for spent in (2.0, 1.5, 1.125):  # a quarter of what is left
        wire.renew()
        gate.spend("usd", spent - 0.125)
        gate.check()
        gate.spend("usd", 0.125)
        with pytest.raises(Refused, match="slice of usd"):
            gate.check()
        clock.advance(6.0)
        gate.tick()
        wire.turn()
        gate.reopen()


@pytest.mark.parametrize("amount", [-1.0, -math.inf, math.nan, math.inf, "1", None])
def test_nothing_can_be_given_back_to_a_meter(amount: Any) -> None:
    """A negative amount would be a refund: it makes the sum unknown, also for the next lease."""
    panel = Panel((PowerLimit(10.0, sensor="usd"),))
    _, _, gate, wire = pair(panel=panel, meters={"usd": None})
    gate.spend("usd", 9.0)
    gate.spend("usd", amount)
    with pytest.raises(Refused):
        gate.begin("buy")
    assert gate.phase == "stopped"
    wire.turn()
    gate.reopen()
    wire.renew()
    assert not gate.is_open


def test_a_negative_amount_widens_no_slice() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, usd=8.0), meters={"usd": None})
    Wire(gate, {"own": overseer}).renew()
    gate.spend("usd", 1.0)
    gate.spend("usd", -0.5)
    with pytest.raises(Refused, match="slice of usd"):
        gate.begin("buy")
