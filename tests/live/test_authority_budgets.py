"""Budgets and runtime are never given back: not by restarts, clocks or counters."""

from __future__ import annotations

import pytest
from tests.live.ledgers import Ledger, asked, renew
from tests.live.worlds import (
    authority,
    counter,
    enrolled,
    gate_of,
    held,
)

from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

# What was allowed counts, also after a restart.


def of_group(ledger: Ledger, name: str, number: int) -> Gate:
    ledger.start(name, ("g",))
    mine, fresh = held(ledger.server, name), counter(number * 999)
    return gate_of(ledger.clock, mine, name=name, meters={"usd": None}, fresh=fresh)


def spend_all(gate: Gate) -> float:
    left = gate._links["own"].allowance["usd"] - gate._meters.spent["usd"]
    gate.spend("usd", left)
    return float(left)


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_budget_does_not_leak_over_a_restart(rounds: int) -> None:
    """One member spends its slice and dies unheard; the server restarts; the other goes on."""
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.store(ledger.server.limit_group("g", {"usd": 100.0}))
    a, b = of_group(ledger, "a", 1), of_group(ledger, "b", 2)
    spent = 0.0
    for _ in range(rounds):
        ledger.renew(a)
        spent += spend_all(a)
        clock.advance(1)
    ledger.restart()
    for _ in range(60):
        if ledger.renew(b) == "grant":
            spent += spend_all(b)
        clock.advance(1)
    assert 90 < spent <= 100.0


def test_an_idle_gate_with_a_budget_writes_no_records() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.store(ledger.server.limit_group("g", {"usd": 100.0}))
    a, b = of_group(ledger, "a", 1), of_group(ledger, "b", 2)
    for _ in range(3):
        ledger.renew(a)
        ledger.renew(b)
    clock.advance(20)
    before = len(ledger.records)
    a = gate_of(clock, held(ledger.server, "a"), name="a", meters={"usd": None}, fresh=counter(77))
    for _ in range(5):
        ledger.renew(a)
        clock.advance(1)
    assert len(ledger.records) - before <= 2  # its opening


def test_spending_bit_by_bit_writes_few_records() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start(usd=100.0)
    gate = gate_of(clock, held(ledger.server), meters={"usd": None})
    for _ in range(100):
        assert ledger.renew(gate) == "grant"
        gate.spend("usd", 0.5)
        clock.advance(1)
    assert len(ledger.records) < 30


def test_a_slice_that_could_not_be_written_is_not_granted_later_without_a_record() -> None:
    """The commit fails, so nothing is answered; the next renewal asks for the record again."""
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start(usd=100.0)
    gate = gate_of(clock, held(ledger.server), meters={"usd": None})
    for _ in range(2):
        _, records = ledger.server.on_frame(asked(gate))  # and the disk is full
        assert [(kind, body["allowed"]) for kind, body in records] == [("open", {"usd": 25.0})]
    ledger.renew(gate)
    spend_all(gate)
    for _ in range(2):
        _, records = ledger.server.on_frame(asked(gate))
        assert [(kind, body["allowed"]["usd"] > 25.0) for kind, body in records] == [
            ("anchor", True)
        ]


def test_a_life_of_which_no_record_tells_what_it_was_allowed_leaves_nothing_to_others() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.store(ledger.server.limit_group("g", {"usd": 100.0}))
    a, b = of_group(ledger, "a", 1), of_group(ledger, "b", 2)
    ledger.renew(a)
    ledger.forgets("allowed")
    ledger.restart()
    ledger.renew(b)
    assert spend_all(b) == 0.0


def test_a_counter_that_is_unknown_ends_the_grants() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start(usd=100.0)
    gate = gate_of(clock, held(ledger.server), meters={"usd": None})
    assert ledger.renew(gate) == "grant"
    gate.spend("usd", float("nan"))
    assert ledger.renew(gate) == "limit"
    ledger.restart()
    assert ledger.renew(gate) == "limit"
    gate._meters.spent["usd"] = 1.0  # found again, and what was spent meanwhile is not
    assert ledger.renew(gate) == "limit"


def test_what_was_spent_is_never_told_back() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, usd=4.0), meters={"usd": None})
    assert renew(overseer, gate) == "grant"
    gate.spend("usd", 5.0)
    text = asked(gate)
    gate._meters.spent["usd"] = 1.0
    overseer.on_frame(text)
    assert overseer.facts.standing("agent")
    assert [life.spent for life in overseer._lives.of("agent")] == [{"usd": 5.0}]
    overseer.on_frame(asked(gate))
    assert [life.spent for life in overseer._lives.of("agent")] == [{"usd": 5.0}]


# Runtime.


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("back_at", [45, 90])
def test_a_wall_clock_that_is_set_back_gives_no_runtime_back(busy: bool, back_at: int) -> None:
    """While the server runs, or in its restart."""
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start(runtime=100.0)
    gate = gate_of(clock, held(ledger.server))
    for second in range(1, 91):
        assert ledger.renew(gate) == "grant"
        if busy:
            gate.end(gate.begin("act"))
        clock.advance(1)
        ledger.wall += 1000 if second != back_at else -3_600_000
    ledger.restart()
    ledger.renew(gate)
    assert gate._links["own"].runtime(clock()) >= 80.0


def test_the_newest_record_tells_the_runtime_where_an_older_one_does_not() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start(runtime=100.0)
    ledger.wall = 90_000
    ledger.store(ledger.server.enrol("other"))
    ledger.wall = 0
    ledger.restart()
    gate = gate_of(clock, held(ledger.server))
    ledger.renew(gate)
    assert gate._links["own"].runtime(clock()) >= 90.0
