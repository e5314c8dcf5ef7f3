"""Whose past is longer: one that was set back is locked, one that rewrote it is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.live.worlds import (
    PEOPLE,
    Wire,
    authority,
    enrolled,
    gate_of,
    pair,
    press,
    reason,
    store,
)

from freezetag.live.authority.authority import Authority, RollbackError
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.signed.merkle import Checkpoint, LedgerError, Tree, sign_note
from freezetag.live.signed.presses import Presses


def checked() -> tuple[SteppedClock, Authority, Gate, bytes]:
    """An authority, and a gate that checks its checkpoints by the key whose secret is the last."""
    clock = SteppedClock()
    overseer = authority(clock)
    private, public = PEOPLE["eve"]
    gate = gate_of(clock, replace(enrolled(overseer), public=public))
    return clock, overseer, gate, private


def test_a_longer_past_than_ours_locks_us() -> None:
    """An older copy of the ledger was restored; a gate has seen more."""
    _, overseer, gate, _ = pair()

    def checkpoint(size: int) -> tuple[str, list[str]]:
        raise RollbackError(f"a gate saw {size} records")

    overseer.checkpoint = checkpoint
    assert reason(overseer, gate) == "locked"
    assert overseer.locked


def test_a_gate_refuses_a_rewritten_past() -> None:
    clock, overseer, gate, private = checked()
    tree = Tree([b"a", b"b", b"c"])

    def checkpoint(size: int) -> tuple[str, list[str]]:
        note = sign_note(Checkpoint("own", tree.size, tree.root()), private)
        return note, tree.consistency(min(size, tree.size))

    overseer.checkpoint = checkpoint
    wire = Wire(gate, {"own": overseer})
    wire.renew()
    assert gate.is_open
    tree.append(b"d")
    clock.advance(4)
    wire.renew()
    clock.advance(4)
    assert gate.is_open
    for rewritten in (Tree([b"a", b"x", b"c", b"d", b"e"]), Tree([b"a", b"b"])):
        tree = rewritten
        wire.renew()
        assert gate.alarms
    clock.advance(1)
    assert not gate.is_open
    with pytest.raises(LedgerError):
        tree.root(99)


def test_renewals_that_overtake_each_other_are_no_rewritten_past() -> None:
    clock, overseer, gate, private = checked()
    tree = Tree([b"0"])

    def checkpoint(size: int) -> tuple[str, list[str]]:
        tree.append(str(tree.size).encode())
        return sign_note(Checkpoint("own", tree.size, tree.root()), private), tree.consistency(size)

    overseer.checkpoint = checkpoint
    Wire(gate, {"own": overseer}).renew()
    dice = random.Random(1)
    link = gate._links["own"]
    for _ in range(20):
        answers = []
        for _ in range(3):  # three renewals name the same checkpoint
            clock.advance(0.5)
            gate.ask()
            (order,) = gate.take()
            answer, records = overseer.on_frame(order.text)
            store(overseer, records)
            answers += [answer, answer]
        dice.shuffle(answers)
        for answer in answers:
            gate.receive("own", answer or "")
        assert gate.is_open
        assert link.expiry == clock() + 5.0
    assert gate.alarms == []
    assert link.seen_size > 20
    # Two answers to the same question that fork: the next question finds it.
    fork = Tree([b"x"])
    clock.advance(1)
    gate.ask()
    overseer.checkpoint = lambda size: (
        sign_note(Checkpoint("own", 99, fork.root()), private),
        tree.consistency(size),
    )
    (order,) = gate.take()
    answer, _ = overseer.on_frame(order.text)
    assert not gate.receive("own", answer or "")
    assert "does not extend" in gate.alarms[0]


def test_merging_a_replica() -> None:
    here, there = authority(SteppedClock()), authority(SteppedClock(), replica="b")
    enrolled(here)
    store(there, there.press(press(1)))
    there.press(press(2))
    kinds = [kind for kind, _ in here.merge(there.facts.presses)]
    assert kinds == ["press", "repeat"]
    assert here.facts.standing("agent")
    assert not here.facts.agents["agent"].started
    assert here.merge(Presses()) == []
