"""The node lease, and what nodes tell one another of lives: on stepped clocks, no database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.live.ledgers import Ledger, renew
from tests.live.worlds import enrolled, gate_of

from freezetag.live.authority.authority import Authority
from freezetag.live.authority.states import Shown
from freezetag.live.authority.store import Told
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.server.nodes import Nodes
from freezetag.live.server.witness import Witness
from freezetag.live.signed.frames import settle
from freezetag.live.signed.merkle import Tree

R = 2.0


def test_a_lease_counts_from_when_the_look_was_sent() -> None:
    clock = SteppedClock(100.0)
    nodes = Nodes(Ledger(clock).server, "a", R, clock)
    assert not nodes.holds
    sent = clock()
    clock.advance(0.5)  # the answer took that long
    nodes.renew(sent)
    assert nodes.holds
    clock.advance(R - 0.5 - 1e-9)
    assert nodes.holds
    clock.advance(2e-9)
    assert not nodes.holds
    nodes.renew(sent - 1)  # one that was overtaken adds nothing
    assert not nodes.holds


class Pair:
    """Two nodes of one authority with one ledger, and a gate that speaks to the first."""

    def __init__(self) -> None:
        self.clock = SteppedClock(1000.0)
        self.ledgers = [Ledger(self.clock, length=5.0), Ledger(self.clock, length=5.0)]
        self.nodes = [
            Nodes(ledger.server, name, R, self.clock)
            for ledger, name in zip(self.ledgers, "ab", strict=True)
        ]
        one, two = self.servers
        enrolment = enrolled(one, "agent")
        enrolled(two, "agent")
        self.gate = gate_of(self.clock, enrolment)
        self.beat = 0

    @property
    def servers(self) -> list[Authority]:
        return [ledger.server for ledger in self.ledgers]

    def tell(self, of: int = 0) -> None:
        self.beat += 1
        told = Told("ab"[of], self.beat, R, (), self.nodes[of].tells(None))
        self.nodes[1 - of].hear([told])


def test_a_life_at_another_node_is_waited_out_as_long_as_that_one_may_grant() -> None:
    pair = Pair()
    one, two = pair.servers
    assert renew(one, pair.gate) == "grant"
    opened = {"agent": "agent", "b": pair.gate.b, "epoch": 1, "length": 5.0}
    two.apply("open", {**opened, "allowed": {}, "spent": {}})
    (life,) = two.lives.of("agent")
    assert life.until == pytest.approx(pair.clock() + settle(5.0 + R))
    pair.tell()
    (row,) = two.shown("agent")
    assert (row.shown, row.heard, row.in_flight) == (Shown.RUNNING, 0.0, 0)
    pair.clock.advance(1.0)
    assert renew(one, pair.gate) == "grant"
    pair.tell()
    assert life.until >= pair.clock() + settle(5.0) + R
    pair.clock.advance(settle(5.0) + R - 0.01)
    assert life.alive(pair.clock())
    before = life.until
    pair.tell()  # it was heard no more there: that adds nothing
    assert life.until == before
    pair.clock.advance(5.0)
    assert not life.alive(pair.clock())


def test_what_was_only_heard_of_is_not_told_on() -> None:
    pair = Pair()
    one, _ = pair.servers
    renew(one, pair.gate)
    pair.tell()
    assert json.loads(pair.nodes[1].tells(None))["lives"] == []
    pair.clock.advance(0.1)
    renew(pair.servers[1], pair.gate)  # now the gate speaks to the other node
    assert len(json.loads(pair.nodes[1].tells(None))["lives"]) == 1
    pair.clock.advance(0.1)
    pair.tell(of=1)
    assert json.loads(pair.nodes[0].tells(None))["lives"] == []


def test_a_person_at_one_node_is_there_for_all() -> None:
    clock = SteppedClock(50.0)
    one, two = (Nodes(Ledger(clock).server, name, R, clock) for name in "ab")
    clock.advance(7)
    two.hear([Told("a", 1, R, ("http://h:1",), one.tells(52.0))])
    assert two.present == pytest.approx(52.0)
    assert two.addresses == ("http://h:1",)
    assert two.to_json()["others"] == {"a": 0.0}
    two.hear([Told("a", 1, 3 * R, ("http://h:1",)), Told("c", 0, R, ())])  # nothing new of either
    assert two.to_json()["others"] == {"a": 0.0, "c": None}
    assert two.longest == 3 * R


def test_a_witness_keeps_what_was_seen(tmp_path: Path) -> None:
    clock, file = SteppedClock(0.0), tmp_path / "witness.json"
    witness, tree = Witness(file, clock), Tree([b"a", b"b"])
    assert (witness.problem(), witness.seen()) == ("", None)
    witness.saw(tree)
    longer = Tree([b"a", b"b", b"c"])
    witness.saw(longer)  # too soon after
    assert json.loads(file.read_text())["size"] == 2
    clock.advance(1.0)
    witness.saw(longer)
    assert json.loads(file.read_text())["size"] == 3
    assert (witness.problem(), witness.seen()) == ("", (3, longer.root().hex()))
    file.write_text("{")
    assert "cannot be read" in witness.problem()
