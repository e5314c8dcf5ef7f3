"""What people sign says whom its presses stop; it clears nothing else, whatever a server shows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.live.worlds import (
    Wire,
    authority,
    counter,
    gate_of,
    held,
    pair,
    press,
    roster,
    signed,
    store,
)

from freezetag.live.authority.signing import LONGEST
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.signed.presses import Clearance, Presses, draft

HEAD = {"root": "", "size": 0}


def cleared(scopes: dict[str, list[str]] | None, me: str = "", scope: str = "fleet") -> bool:
    """Whether two people's signatures under these scopes clear a press of `scope`."""
    one = press(1, scope)
    text = draft("own", {one.id: {}}, HEAD, "n", scopes)
    state = Presses([one], [signed(text, "ann", "bob")], me=me)
    return state.standing(roster()) == ()


@pytest.mark.parametrize(
    ("scopes", "me", "is_cleared"),
    [
        ({press(1).id: ["fleet"]}, "", True),
        ({press(1).id: ["agent:b"]}, "", False),  # they meant b's press
        ({press(1).id: ["agent:b"]}, "agent:a", False),  # as the gate of a holds it
        ({press(1).id: ["agent:b"]}, "agent:b", True),  # and b's, which they meant to free
        ({press(2).id: ["fleet"]}, "", False),
        ({}, "", False),
        (None, "", True),  # of an older server, which did not say
    ],
)
def test_only_what_the_signers_meant(
    scopes: dict[str, list[str]] | None, me: str, is_cleared: bool
) -> None:
    assert cleared(scopes, me) == is_cleared


def test_scopes_that_cannot_be_read_clear_nothing() -> None:
    one = press(1)
    told = json.loads(draft("own", {one.id: {}}, HEAD, "n", {one.id: ["fleet"]}).text)
    for wrong in ("fleet", {one.id: "fleet"}, {one.id: [1]}, None, 3):
        text = signed(Clearance(json.dumps({**told, "scopes": wrong})), "ann", "bob")
        assert Presses([one], [text]).standing(roster()) == (one,)


def test_a_server_that_lies_about_a_press_frees_nobody_else() -> None:
    """Bob signs that "b" is free; the id is that of a press of the fleet, which a's gate holds."""
    clock = SteppedClock()
    overseer = authority(clock)
    wires = []
    for name in ("a", "b"):
        store(overseer, overseer.enrol(name))
        store(overseer, overseer.start(name, "ann"))
        gate = gate_of(clock, held(overseer, name), name=name, fresh=counter())
        wires.append(Wire(gate, {"own": overseer}))
        wires[-1].renew()
    one = press(7, "fleet")
    store(overseer, overseer.press(one))
    frames = {name: text for name, _, text in overseer.stop_frames()}
    for wire in wires:
        wire.gate.receive("own", frames[wire.gate.name])
    lie = signed(draft("own", {one.id: {}}, HEAD, "n", {one.id: ["agent:b"]}), "ann", "bob")
    overseer.facts.presses.clear(lie)  # what a stolen server would hand on
    assert overseer.facts.standing("a")  # the text says who it is for, here too
    for wire in wires:
        wire.gate.take()
        wire.gate.reopen()
        wire.renew()
    assert [len(wire.gate.presses) for wire in wires] == [1, 0]


def test_a_draft_says_the_scopes_and_stays_short_enough() -> None:
    overseer = authority(SteppedClock())
    for number in range(600):
        store(overseer, overseer.press(press(number, f"agent:{number:0100d}")))
    text = overseer.draft().text
    told = json.loads(text)
    assert set(told["scopes"]) == set(told["presses"])
    assert 30 < len(told["presses"]) < 500
    assert len(json.dumps(text)) <= LONGEST
    part = overseer.facts.presses.portion(
        [each for each in overseer.facts.presses.presses if each.id in told["presses"]][:1]
    )
    assert part["presses"]


def test_presses_with_long_reasons_are_told_and_cleared() -> None:
    """Quotes double twice: in the text that people sign, and in the frame around it."""
    clock, overseer, gate, wire = pair()
    for number in range(13):
        one = replace(press(number, "agent:agent"), reason='"' * 1000, who=f"p{number}")
        store(overseer, overseer.press(one))
    for _, _, text in overseer.stop_frames():
        gate.receive("own", text)
    assert gate.presses
    clock.advance(1)
    for _ in range(5):
        wire.renew()
    while overseer.facts.standing("agent"):
        store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    for _ in range(20):
        clock.advance(1)
        wire.renew()
    assert not gate.presses


def test_a_press_beside_a_bulky_clearance_is_told_and_so_are_later_ones() -> None:
    _, overseer, gate, wire = pair()
    for number in range(4):
        one = replace(press(number, f"capability:t{number}"), reason='"' * 1000)
        store(overseer, overseer.press(one))
    drafted = overseer.draft()
    assert overseer.press(replace(press(9, "capability:t0"), reason="again"))[0][0] == "repeat"
    store(overseer, overseer.clear(signed(drafted, "ann", "bob")))
    assert {each.scope for each in overseer.facts.bars} == {"capability:t0"}
    for number in range(10, 40):
        one = replace(press(number, f"capability:u{number}"), reason="x" * 1000)
        store(overseer, overseer.press(one))
    wire.renew()
    wire.renew()
    wire.renew()
    scopes = {each.scope for each in gate.presses}
    assert scopes >= {each.scope for each in overseer.facts.bars}
