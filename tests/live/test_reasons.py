"""What a status says beside the state: why an agent does not run, and when its gate was heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.live._serving import enrolled as enrolled_file
from tests.live._serving import serving
from tests.live.conftest import Run
from tests.live.worlds import Wire as Wired
from tests.live.worlds import authority, enrolled, gate_of, held, pair, press, signed, store

from freezetag.live.authority.authority import Authority, ResetError
from freezetag.live.authority.home import Home
from freezetag.live.authority.states import Shown
from freezetag.live.console.page import console
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.guard.guard import Guard, Wish


def asked(overseer: Authority, gate: Gate) -> None:
    Wired(gate, {overseer.name: overseer}).renew()


def test_why_it_is_held_is_told_from_enrolment_to_start() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    store(overseer, overseer.enrol("agent"))
    assert overseer.why("agent") == "nobody has started it"
    store(overseer, overseer.start("agent", "ann"))
    assert "no gate of it has asked for a lease" in overseer.why("agent")
    (row,) = overseer.shown("agent")
    assert (row.shown, row.in_flight) == (Shown.UNKNOWN, None)  # silent is unknown
    gate = gate_of(clock, held(overseer))
    asked(overseer, gate)
    assert (overseer.why("agent"), overseer.shown("agent")[0].shown) == ("", Shown.RUNNING)
    store(overseer, overseer.press(press(1)))
    assert overseer.why("agent") == ""  # the press says why
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    assert overseer.why("agent") == "nobody has started it again"


def test_a_meter_that_nobody_tells_is_named_until_it_is_told() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, presence=60.0))
    asked(overseer, gate)
    assert "nobody has said since the server started that a person is here" in overseer.why("agent")
    with pytest.raises(ResetError, match="started already, and waits: nobody has said"):
        overseer.start("agent", "ann")
    overseer.meters["agent", "presence"] = lambda: 1.0
    asked(overseer, gate)
    assert overseer.why("agent") == ""
    overseer.meters["agent", "presence"] = lambda: 61.0
    asked(overseer, gate)
    assert [each.who for each in overseer.facts.standing("agent")] == ["interlock:presence"]


def test_a_hold_says_its_reason_until_the_next_start_and_after_a_restart() -> None:
    clock, overseer, _, _ = pair()
    clock.advance(70)
    asked(overseer, gate_of(clock, held(overseer), fresh=lambda size: "e" * 2 * size))
    assert overseer.why("agent").startswith("silent for 70 s")
    again = authority(clock)
    store(again, again.enrol("agent"))
    again.apply("start", {"agent": "agent", "epoch": 1, "who": "ann"})
    again.apply("held", {"agent": "agent", "why": "silent for 70 s"})
    assert again.why("agent") == "silent for 70 s"
    store(again, again.start("agent", "ann"))
    assert "no gate" in again.why("agent")


def test_a_live_gate_that_was_stopped_is_heard_and_a_dead_one_is_not() -> None:
    clock, overseer, gate, wire = pair()
    gate.end(gate.begin("a"))
    store(overseer, overseer.press(press(1)))
    for _, _, frame in overseer.stop_frames():
        gate.receive("own", frame)
    gate.tick()
    wire.turn()
    (row,) = overseer.shown("agent")
    assert (row.shown, row.b) == (Shown.ACKNOWLEDGED, gate.b)
    assert row.last == gate.last == 1  # as its acknowledgement says
    later = gate_of(clock, held(overseer), fresh=lambda size: "e" * 2 * size)
    clock.advance(100)
    (row,) = overseer.shown("agent")
    assert row.heard is not None
    assert row.heard >= 100  # nothing came
    asked(overseer, later)
    clock.advance(1)
    (row,) = overseer.shown("agent")
    assert (row.shown, row.b, row.heard) == (Shown.ACKNOWLEDGED, gate.b, 1.0)


def test_a_guard_of_a_server_names_its_press_first(made: Home, tmp_path: Path) -> None:
    with serving(made) as remote:
        file = enrolled_file(remote, tmp_path, "p")
        guard = Guard(Wish("p", tmp_path / "g", enrolments=(file,)), print)
        assert "stops on: a press at lab, SIGTERM, a missing reading, no lease;" in guard.notes()[1]
        guard.close()


def test_status_and_console_say_why_and_that_a_person_was_recorded(run: Run, made: Home) -> None:
    with serving(made) as remote:
        remote.post("/api/enrol", {"agent": "p", "limits": {"presence": 9}}, "admin")
        assert "heard never; nobody has started it" in run("status")[1]
        run("start", "p")
        (line,) = (line for line in run("status")[1].splitlines() if line.startswith("  p "))
        assert "no gate of it has asked" in line
        assert "in flight" not in line.replace("unknown_in_flight", "")
        _, out, _ = run("status", "--present")
        assert out.startswith("a person is here: recorded.\n")
        page = console(remote.get("/api/status"), {}, 0.0)
        assert "no gate of it has asked" in page
        assert json.loads(run("status", "--present", "--json")[1])["agents"][0]["why"]
