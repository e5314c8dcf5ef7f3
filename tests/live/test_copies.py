"""Copies of one gate, and one enrolment that invents incarnations: both end in a hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.live.worlds import authority, counter, enrolled, gate_of, pair, press, store

from freezetag.live.authority.authority import Authority
from freezetag.live.authority.incarnations import DOUBLED, PER_HOUR, WAITING
from freezetag.live.authority.states import Shown
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.signed.frames import incarnation_key, seal, unseal


def said(overseer: Authority, gate: Gate) -> dict[str, Any]:
    """The answer to what a gate asks now."""
    gate.ask()
    (order,) = [each for each in gate.take() if each.kind == "send"]
    answer, records = overseer.on_frame(order.text)
    store(overseer, records)
    assert answer is not None
    gate.receive(overseer.name, answer)
    key = incarnation_key(overseer.key_for(gate.name), gate.b)
    return dict(unseal(answer, lambda *_: key))


def two() -> tuple[SteppedClock, Authority, Gate, Gate]:
    """Two processes that hold one incarnation, as a fork in C leaves them."""
    clock = SteppedClock()
    overseer = authority(clock)
    held = enrolled(overseer)
    one, other = (gate_of(clock, held, fresh=counter()) for _ in range(2))
    assert one.b == other.b
    assert said(overseer, one)["kind"] == "grant"
    return clock, overseer, one, other


def test_two_processes_with_one_incarnation_are_found_at_the_first_word_of_the_second() -> None:
    clock, overseer, one, other = two()
    assert said(overseer, other)["reason"] == "clone"
    assert not overseer.facts.agents["agent"].started
    assert any(DOUBLED in alarm for alarm in overseer.alarms)
    (ack,) = overseer.facts.incarnations["agent"].values()
    assert ack is not None
    assert ack["cause"] == "copied"
    assert said(overseer, one)["kind"] == "refuse"
    clock.advance(6)
    one.tick()
    assert not one.is_open


def test_the_word_of_one_of_them_is_not_that_both_have_stopped() -> None:
    """ "Acknowledged" beside a living copy: the lease is waited out, and it stays unknown."""
    clock, overseer, one, other = two()
    said(overseer, other)
    store(overseer, overseer.press(press(1)))
    for _, _, text in overseer.stop_frames():
        one.receive("own", text)  # the other does not hear it
    for order in one.take():
        if order.kind == "send":
            store(overseer, overseer.on_frame(order.text)[1])
    (row,) = overseer.shown("agent")
    assert row.shown == Shown.UNKNOWN
    assert overseer.stop_frames()  # it may be alive, so it is told on
    clock.advance(10)
    assert overseer.shown("agent")[0].shown == Shown.UNKNOWN


def test_a_frame_that_comes_twice_or_late_is_no_copy() -> None:
    _, overseer, gate, _ = pair()
    texts = []
    for _ in range(3):
        gate.ask()
        texts += [each.text for each in gate.take() if each.kind == "send"]
    for text in (texts[2], texts[0], texts[2], texts[1], texts[0]):
        overseer.on_frame(text)
    assert overseer.facts.agents["agent"].started
    assert overseer.shown("agent")[0].shown == Shown.RUNNING


def frame(overseer: Authority, b: str, n: int = 1, **fields: Any) -> str:
    told = {"kind": "renew", "gate": "agent", "b": b, "n": n, "phase": "waiting", "in_flight": 0}
    told |= {"last": 0, "spent": {}, "head": "", "root": "", "size": 0, "presses": [], "ack": None}
    return seal(incarnation_key(overseer.key_for("agent"), b), {**told, **fields})


def acked(b: str) -> dict[str, Any]:
    return {"acked": b, "presses": [], "last": 0, "unknown": [], "category": 0,
            "cause": "closed", "policy": []}  # fmt: skip


def test_one_enrolment_that_invents_incarnations_is_held_and_its_records_end() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    enrolled(overseer)
    records = 0
    for number in range(1, 2000):
        before, b = f"{number - 1:032x}", f"{number:032x}"
        ack = acked(before) if number > 1 else None
        clock.advance(0.01)
        answer, new = overseer.on_frame(frame(overseer, b, ack=ack))
        assert answer is not None
        own = seal(
            incarnation_key(overseer.key_for("agent"), b),
            {"kind": "ack", "gate": "agent", "b": b, **acked(b)},
        )
        store(overseer, new)
        records += len(new) + len(store(overseer, overseer.on_frame(own)[1]))
    assert not overseer.facts.agents["agent"].started
    assert records < 4 * PER_HOUR
    assert f"agent: {PER_HOUR} incarnations within an hour" in overseer.alarms
    # A person looks, and lets it run again: the hour is not over, so it is held again at once.
    clock.advance(10)
    store(overseer, overseer.start("agent", "ann"))
    answer, new = overseer.on_frame(frame(overseer, "f" * 32))
    assert answer is not None
    assert json.loads(answer[65:])["reason"] == "held"
    store(overseer, new)
    clock.advance(3600)
    store(overseer, overseer.start("agent", "ann"))
    answer, _ = overseer.on_frame(frame(overseer, "e" * 32))
    assert answer is not None
    assert json.loads(answer[65:])["kind"] == "grant"


@pytest.mark.parametrize("phase", ["waiting", "stopped"])
def test_those_that_only_wait_are_not_kept(phase: str) -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    enrolled(overseer)
    store(overseer, overseer.press(press(1)))
    for number in range(1000):
        _, new = overseer.on_frame(frame(overseer, f"{number:032x}", phase=phase))
        assert new == []
    assert len(overseer._lives.of("agent")) <= WAITING
