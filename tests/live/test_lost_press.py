"""A press that was pushed, and lost before it was durable, stands where it was heard."""

from __future__ import annotations

import pytest
from tests.live.worlds import Wire, authority, gate_of, held, press, signed, store

from freezetag.live.authority.authority import TOLD, Authority, ResetError
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.signed.frames import incarnation_key, seal


def heard_and_lost(scope: str) -> tuple[SteppedClock, Authority, list[Wire]]:
    """Two gates hear a press; a server that has never heard of it takes their renewals."""
    clock = SteppedClock()
    first, second = authority(clock), authority(clock)
    wires = []
    for name in ("a", "b"):
        for each in (first, second):
            store(each, each.enrol(name, groups=["g"]))
            store(each, each.start(name, "ann"))
        gate: Gate = gate_of(clock, held(first, name), name=name)
        wires.append(Wire(gate, {"own": first}))
        wires[-1].renew()
        assert gate.is_open
    first.press(press(7, scope))  # and killed before it was written
    for _, _, text in first.stop_frames():
        for wire in wires:
            wire.gate.receive("own", text)
    for wire in wires:
        wire.gate.take()
        wire.gate.reopen()
        wire.authorities = {"own": second}
    clock.advance(100)
    return clock, second, wires


@pytest.mark.parametrize("scope", ["fleet", "group:g", "agent:a", "closure:a", "somewhere"])
def test_it_can_be_seen_cleared_and_started_from(scope: str) -> None:
    clock, server, wires = heard_and_lost(scope)
    stopped = [wire for wire in wires if wire.gate.presses]
    assert stopped
    for wire in wires:
        wire.renew()
        wire.gate.reopen()  # as its host does after every stop
    for wire in stopped:
        name = wire.gate.name
        assert [p.scope for p in server.facts.standing(name)] == [f"agent:{name}"]
        assert not server.facts.agents[name].started
    store(server, server.clear(signed(server.draft(), "ann", "bob")))
    for wire in stopped:
        wire.renew()  # hears of the clearance
        wire.renew()
        assert not wire.gate.is_open  # reset is not restart
        assert wire.gate.presses == ()
        store(server, server.start(wire.gate.name, "ann"))
        wire.renew()
        assert wire.gate.is_open
        with pytest.raises(ResetError):
            server.draft()
    clock.advance(1)


def test_it_stops_nobody_who_did_not_hear_it() -> None:
    _, server, wires = heard_and_lost("agent:a")
    for wire in wires:
        wire.renew()
    assert [p.scope for p in server.facts.presses.presses] == ["agent:a"]
    assert server.facts.standing("b") == ()


def test_invented_presses_are_bounded_and_stop_nobody_else() -> None:
    """Whoever holds one enrolment may say anything of presses: 35 renewals of 300 each."""
    clock = SteppedClock()
    server = authority(clock)
    for name in ("liar", "b"):
        store(server, server.enrol(name))
        store(server, server.start(name, "ann"))
    wire = Wire(gate_of(clock, held(server, "b"), name="b"), {"own": server})
    key = incarnation_key(server.key_for("liar"), "f" * 32)
    said = {"kind": "renew", "gate": "liar", "b": "f" * 32, "phase": "waiting", "in_flight": 0}
    said |= {"last": 0, "spent": {}, "head": "", "root": "", "size": 0, "ack": None}
    written = 0
    for n in range(35):
        presses = [press(300 * n + each).to_json() for each in range(300)]
        answer, records = server.on_frame(seal(key, {**said, "n": n, "presses": presses}))
        store(server, records)
        written += len(records)
        assert '"reason":"pressed"' in str(answer)
    assert 0 < written <= 2 * TOLD
    assert len(server.facts.presses.presses) == TOLD
    wire.renew()
    assert wire.gate.is_open
    store(server, server.clear(signed(server.draft(), "ann", "bob")))
    assert server.facts.standing("liar") == ()
    _, records = server.on_frame(seal(key, {**said, "n": 99, "presses": presses}))
    assert [kind for kind, _ in records] == ["press"] * TOLD  # the rest is told now
