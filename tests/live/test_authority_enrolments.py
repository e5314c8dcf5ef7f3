"""What an enrolment cannot do: undo a stop, or raise a limit of a running agent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.live.ledgers import Ledger, renew
from tests.live.worlds import (
    authority,
    enrolled,
    gate_of,
    held,
    press,
    signed,
    store,
)

from freezetag.live.authority.authority import Authority
from freezetag.live.authority.facts import EnrolmentError
from freezetag.live.gate.clock import SteppedClock


@pytest.mark.parametrize("narrowed", ["a", "b"])
def test_dependencies_cannot_shrink_a_closure_that_stands(narrowed: str) -> None:
    """`a` depends on `b`, and `b` on `c`: neither edge may go while closure:c is pressed."""
    overseer = authority(SteppedClock())
    edges = {"c": [], "b": ["c"], "a": ["b"]}
    for name, after in edges.items():
        store(overseer, overseer.enrol(name, depends_on=after))
        store(overseer, overseer.start(name, "ann"))
    store(overseer, overseer.press(press(1, "closure:c")))
    with pytest.raises(EnrolmentError, match="no longer cover"):
        overseer.enrol(narrowed)
    assert overseer.facts.covered("closure:c") == ("c", "b", "a")
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.enrol(narrowed))


def joins_a_group(overseer: Authority) -> None:
    store(overseer, overseer.press(press(1, "group:g")))
    store(overseer, overseer.enrol("a", groups=["g"]))


def depends_on_the_stopped(overseer: Authority) -> None:
    store(overseer, overseer.enrol("b"))
    store(overseer, overseer.press(press(1, "closure:b")))
    store(overseer, overseer.enrol("a", depends_on=["b"]))


def depends_through_another(overseer: Authority) -> None:
    store(overseer, overseer.enrol("a", depends_on=["b"]))
    store(overseer, overseer.press(press(1, "closure:c")))
    store(overseer, overseer.enrol("b", depends_on=["c"]))


@pytest.mark.parametrize(
    "comes_under", [joins_a_group, depends_on_the_stopped, depends_through_another]
)
def test_who_comes_under_a_press_is_held_after_the_reset(
    comes_under: Callable[[Authority], None],
) -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, "a"), name="a")
    assert renew(overseer, gate) == "grant"
    comes_under(overseer)
    assert overseer.facts.standing("a")
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    assert renew(overseer, gate) == "held"
    clock.advance(6)
    store(overseer, overseer.start("a", "ann"))
    assert overseer.facts.agents["a"].epoch == 2


def test_a_repeat_that_a_reset_did_not_see_holds_whoever_was_started_since() -> None:
    """Another replica's repeat arrives after reset and start."""
    overseer = authority(SteppedClock())
    enrolled(overseer)
    store(overseer, overseer.press(press(1)))
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.start("agent", "ann"))
    store(overseer, [("repeat", {"press": press(1).id, "replica": "b", "count": 1})])
    assert overseer.facts.standing("agent")
    assert not overseer.facts.agents["agent"].started


def test_raised_limits_hold_the_agent_until_somebody_starts_it() -> None:
    clock = SteppedClock()
    ledger = Ledger(clock)
    ledger.start(runtime=100.0, usd=10.0)
    agent = lambda: ledger.server.facts.agents["agent"]  # noqa: E731
    lower = ledger.server.enrol("agent", limits={"runtime": 50.0, "usd": 10.0, "tokens": 5.0})
    assert ledger.store(lower) == ["enrol"]
    assert agent().started
    for limits in ({"runtime": 50.0, "usd": 10.0}, {"runtime": 50.0, "usd": 10.1, "tokens": 5.0}):
        before = list(ledger.records)
        assert ledger.store(ledger.server.enrol("agent", limits=limits)) == ["enrol", "held"]
        assert not agent().started
        # Also for a ledger of before this rule, which has no such hold.
        ledger.records = [each for each in ledger.records if each[0] != "held"]
        ledger.restart()
        assert not agent().started
        ledger.records = before
        ledger.restart()
        assert agent().started


def test_raised_limits_of_a_group_hold_its_members() -> None:
    ledger = Ledger(SteppedClock())
    ledger.store(ledger.server.limit_group("g", {"usd": 10.0}))
    for name, groups in (("a", ("g",)), ("b", ("g",)), ("c", ())):
        ledger.start(name, groups)
    assert ledger.store(ledger.server.limit_group("g", {"usd": 9.0})) == ["limits"]
    kinds = ledger.store(ledger.server.limit_group("g", {"usd": 9.5}))
    assert kinds == ["limits", "held", "held"]
    assert [ledger.server.facts.agents[name].started for name in "abc"] == [False, False, True]
    # Who leaves the group leaves its limit.
    ledger.store(ledger.server.start("a", "ann"))
    assert ledger.store(ledger.server.enrol("a")) == ["enrol", "held"]


def test_more_limits_than_a_panel_holds_are_refused_at_enrolment() -> None:
    many = {f"meter{n}": 1.0 for n in range(16)}
    overseer = authority(SteppedClock())
    with pytest.raises(EnrolmentError, match="16 limits"):
        overseer.enrol("agent", limits=many)
    few = {f"meter{n}": 1.0 for n in range(14)}
    store(overseer, overseer.enrol("agent", ["g"], limits=few))
    with pytest.raises(EnrolmentError, match="agent: 16 limits"):
        overseer.limit_group("g", {"usd": 1.0, "tokens": 1.0})
    store(overseer, overseer.limit_group("g", {"usd": 1.0}))
    with pytest.raises(EnrolmentError, match="16 limits"):
        overseer.enrol("agent", ["g"], limits={**few, "tokens": 1.0})


def test_a_ledger_with_too_many_limits_grants_nothing() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    body = {"agent": "agent", "groups": [], "on_stop": "rest_is_safe"}
    body["limits"] = {f"meter{n}": 1.0 for n in range(16)}
    store(overseer, [("enrol", body)])
    store(overseer, overseer.start("agent", "ann"))
    assert renew(overseer, gate_of(clock, held(overseer))) == "limit"
