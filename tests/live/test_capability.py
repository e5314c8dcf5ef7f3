"""A press of `capability:NAME`: one tool of all agents is barred, and nobody is stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import ADA, BOB, enrolled, home, serving, started, until
from tests.live._serving import signed as signed_by
from tests.live.conftest import Run
from tests.live.worlds import Wire, gate_of, held, pair, press, signed, store

import freezetag as ft
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.signed.frames import incarnation_key, seal, unseal

PAY = "capability:pay"


def admitted(gate: Any, action: str) -> bool:
    try:
        gate.end(gate.begin(action))
    except ft.Refused:
        return False
    return True


def test_a_pushed_bar_takes_one_tool_and_leaves_the_agent_running() -> None:
    _, overseer, gate, wire = pair()
    store(overseer, overseer.press(press(1, PAY)))
    ((_, _, text),) = overseer.stop_frames()
    assert gate.receive("own", text)
    assert gate.is_open
    assert not admitted(gate, "pay")
    assert not admitted(gate, "tools/call pay")
    assert admitted(gate, "payment")
    assert admitted(gate, "look")
    with pytest.raises(ft.Refused, match=r"capability:pay is barred by somebody: because"):
        gate.begin("pay")
    wire.renew()
    assert gate.is_open
    assert overseer.shown("agent")[0].shown == "running"


def test_a_bar_that_nobody_pushes_comes_with_the_next_lease() -> None:
    clock, overseer, gate, wire = pair()
    store(overseer, overseer.press(press(1, PAY)))
    assert admitted(gate, "pay")  # it has not heard, and its lease runs
    clock.advance(1)
    wire.renew()
    assert not admitted(gate, "pay")
    # Whoever hears nothing at all ends with its lease, as under any press.
    clock.advance(5)
    gate.tick()
    assert not gate.is_open


def test_however_many_bars_stand_each_is_told_by_turns_and_a_new_one_at_once() -> None:
    clock, overseer, gate, wire = pair()
    for number in range(90):
        one = replace(press(number, f"capability:tool{number}"), reason="x" * 1000)
        store(overseer, overseer.press(one))
    store(overseer, overseer.press(press(100, PAY)))
    (*_, (_, _, text)) = overseer.stop_frames()
    gate.receive("own", text)
    assert not admitted(gate, "pay")
    for _ in range(4):
        clock.advance(1)
        wire.renew()
    assert gate.is_open
    assert len(gate.presses) == 91
    for _ in range(30):  # oldest first, as many as one text holds
        if not overseer.facts.bars:
            break
        store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    for _ in range(40):
        clock.advance(1)
        wire.renew()
    assert not gate.presses
    assert admitted(gate, "pay")


def test_only_two_people_lift_it_and_the_gate_checks_that_itself() -> None:
    _, overseer, gate, wire = pair()
    store(overseer, overseer.press(press(1, PAY)))
    wire.renew()
    draft = overseer.draft()
    assert overseer.clear(signed(draft, "ann")) == []
    wire.renew()
    assert not admitted(gate, "pay")
    store(overseer, overseer.clear(signed(draft, "ann", "bob")))
    wire.renew()
    assert admitted(gate, "pay")  # without a start: nobody was stopped


def test_it_is_remembered_over_a_restart_of_the_gate() -> None:
    latch = MemoryLatch()
    clock, overseer, _, wire = pair(latch=latch)
    store(overseer, overseer.press(press(1, PAY)))
    wire.renew()
    again = gate_of(clock, held(overseer), latch=latch)
    assert [each.scope for each in again.presses] == [PAY]
    clock.advance(20)
    second = Wire(again, {"own": overseer})
    second.renew()
    assert not admitted(again, "pay")


def test_what_runs_is_asked_to_end() -> None:
    _, overseer, gate, wire = pair()
    asked: list[str] = []
    gate.begin("pay", cancel=lambda: asked.append("pay"))
    gate.begin("look", cancel=lambda: asked.append("look"))
    store(overseer, overseer.press(press(1, PAY)))
    wire.renew()
    assert asked == ["pay"]
    assert gate.in_flight == 2


def test_an_older_gate_is_stopped_whole() -> None:
    """It does not know what to refuse, so it gets no lease while a bar stands."""
    _, overseer, gate, _ = pair()
    store(overseer, overseer.press(press(1, PAY)))
    gate.ask()
    (order,) = gate.take()
    key = incarnation_key(overseer.key_for("agent"), gate.b)
    message = json.loads(order.text[65:])
    assert message.pop("knows") == ["capability"]
    answer, _ = overseer.on_frame(seal(key, message))
    assert answer is not None
    told = unseal(answer, lambda *_: key)
    assert (told["kind"], told["reason"]) == ("refuse", "pressed")
    assert [each.scope for each in told["state"].presses] == [PAY]


def test_from_the_command_line_to_verify(made: Any, run: Run, tmp_path: Path) -> None:
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        with ft.connect(file) as gate:

            @gate.tool
            def pay() -> str:
                return "paid"

            @gate.tool
            def look() -> str:
                return "seen"

            assert run("press", "capability:pay", "--reason", "wrong account")[0] == 0
            started(remote)  # a bar holds nobody
            assert gate.wait(5)
            with pytest.raises(ft.Refused, match="wrong account"):
                pay()
            assert look() == "seen"
            assert "capability:pay" in json.dumps(remote.get("/api/status")["presses"])
            text = remote.get("/api/draft")["text"]
            remote.post("/api/clear", signed_by(text, ADA, BOB))
            until(lambda: not gate.gate.presses)
            assert pay() == "paid"
    code, out, _ = run("verify", "oversight")
    assert (code, "verified" in out) == (0, True), out


def test_a_name_is_not_forgotten(tmp_path: Path) -> None:
    """A capability without a name cannot be read, and so stops everyone."""
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path)
        with ft.connect(file) as gate:
            started(remote)
            assert gate.wait(5)
            remote.press("capability:", "which?")
            until(lambda: not gate.is_open)
