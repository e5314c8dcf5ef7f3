"""The authority: what it grants, to whom, what a restart keeps, and what it shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.live.worlds import (
    SECRET,
    Wire,
    authority,
    counter,
    enrolled,
    gate_of,
    held,
    pair,
    press,
    reason,
    roster,
    signed,
    store,
)

from freezetag.live.authority.authority import Authority, ResetError
from freezetag.live.authority.facts import EnrolmentError
from freezetag.live.authority.states import Shown, worst
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.signed.frames import FrameError, incarnation_key, seal, unseal
from freezetag.live.signed.presses import Clearance, Press


def test_it_starts_locked_and_takes_presses() -> None:
    clock = SteppedClock()
    locked = Authority("own", secret=SECRET, roster=roster(), clock=clock, fresh=counter())
    store(locked, locked.enrol("agent"))
    with pytest.raises(ResetError, match="locked"):
        locked.start("agent", "ann")
    store(locked, [("start", {"agent": "agent", "epoch": 1, "who": "ann"})])
    gate = gate_of(clock, held(locked))
    assert reason(locked, gate) == "locked"
    assert locked.press(press(1))
    assert reason(locked, gate) == "pressed"


def test_unknown_and_new_agents_are_held() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, held(overseer))
    assert reason(overseer, gate) == "unknown"
    store(overseer, overseer.enrol("agent"))
    assert reason(overseer, gate) == "held"
    assert [row.shown for row in overseer.shown("agent")] == [Shown.HELD]


def test_a_press_stops_in_memory_before_it_is_stored() -> None:
    _, overseer, gate, _ = pair()
    overseer.press(press(1))  # and then the disk is full
    assert reason(overseer, gate) == "pressed"
    with pytest.raises(ResetError):
        overseer.start("agent", "ann")


def test_a_repeat_is_counted_and_harmless() -> None:
    overseer = authority(SteppedClock())
    assert [kind for kind, _ in overseer.press(press(1))] == ["press"]
    assert overseer.press(press(1)) == []
    assert [kind for kind, _ in overseer.press(press(2))] == ["repeat"]
    # Another scope, or a harder stop, is a press of its own.
    assert [kind for kind, _ in overseer.press(press(3, "agent:a"))] == ["press"]
    softer = authority(SteppedClock())
    softer.press(press(1, category=2))
    assert [kind for kind, _ in softer.press(press(2, category=0))] == ["press"]


def test_the_whole_is_rebuilt_from_the_records() -> None:
    clock, overseer, gate, wire = pair()
    ledger: list[Any] = [("enrol", overseer_body(overseer))]
    ledger += [("start", {"agent": "agent", "epoch": 1, "who": "ann"})]
    ledger += [("open", {"agent": "agent", "b": gate.b, "epoch": 1, "length": 5.0, "spent": {}})]
    ledger += store(overseer, overseer.press(press(1, "agent:agent")))
    again = Authority("own", secret=SECRET, roster=roster(), clock=clock, fresh=counter(99))
    for kind, body in json.loads(json.dumps(ledger)):
        again.apply(kind, body)
    again.unlock()
    assert again.facts.standing("agent") == overseer.facts.standing("agent")
    assert not again.facts.agents["agent"].started
    # A lease may be out: shown as stopping, and nobody is started, until it has surely ended.
    assert again.banner() == Shown.STOPPING
    store(again, again.clear(signed(again.draft(), "ann", "bob")))
    with pytest.raises(ResetError, match="earlier lease"):
        again.start("agent", "ann")
    clock.advance(5.1)
    assert again.banner() == Shown.UNKNOWN  # what it had in flight, a restart cannot know
    store(again, again.start("agent", "ann"))
    wire.authorities["own"] = again
    gate.tick()
    gate.reopen()
    wire.renew()
    assert again.facts.agents["agent"].epoch == 2


@pytest.mark.parametrize(
    ("down", "wall", "rearmed"),
    [(59, 0, True), (60, 0, False), (None, 59_000, True), (None, 60_000, False)],
)
def test_a_restart_rearms_only_after_a_short_outage(down: Any, wall: int, rearmed: bool) -> None:
    clock, overseer, gate, wire = pair()
    again = Authority(
        "own", secret=SECRET, roster=roster(), clock=clock, wall=lambda: wall, fresh=counter(99)
    )
    again.apply("enrol", overseer_body(overseer))
    again.apply("start", {"agent": "agent", "epoch": 1, "who": "ann"})
    again.apply("open", {"agent": "agent", "b": gate.b, "epoch": 1, "length": 5.0, "spent": {}})
    again.unlock(down)
    wire.authorities["own"] = again
    clock.now += 5.1
    gate.tick()
    wire.turn()
    clock.now -= 5.1  # the outage alone is to decide
    gate.reopen()
    wire.renew()
    assert gate.is_open == rearmed
    assert again.facts.agents["agent"].started == rearmed


def overseer_body(overseer: Authority) -> dict[str, Any]:
    agent = overseer.facts.agents["agent"]
    return {
        "agent": agent.name,
        "groups": sorted(agent.groups),
        "limits": dict(agent.limits),
        "on_stop": agent.on_stop,
        "depends_on": [],
        "safe_state": "",
    }


def test_a_wide_stop_is_not_narrowed_by_a_narrow_reset() -> None:
    overseer = authority(SteppedClock())
    for name in ("a", "b"):
        enrolled(overseer, name)
    store(overseer, overseer.press(press(1, "fleet")))
    store(overseer, overseer.press(press(2, "agent:a")))
    (narrow,) = (p for p in overseer.facts.standing("a") if p.scope == "agent:a")
    store(overseer, overseer.clear(signed(overseer.draft([narrow.id]), "ann", "bob")))
    assert overseer.facts.standing("a")
    assert overseer.facts.standing("b")


def test_groups_and_closures() -> None:
    overseer = authority(SteppedClock())
    store(overseer, overseer.enrol("a", groups=["g"]))
    store(overseer, overseer.enrol("b", depends_on=["a"]))
    store(overseer, overseer.enrol("c", depends_on=["b"]))
    assert overseer.facts.covered("closure:a") == ("a", "b", "c")
    assert overseer.facts.covered("closure:b") == ("b", "c")
    assert overseer.facts.covered("group:g") == ("a",)
    assert overseer.facts.covered("no such scope") == ("a", "b", "c")
    store(overseer, overseer.press(press(1, "group:g")))
    with pytest.raises(EnrolmentError, match="groups cannot change"):
        overseer.enrol("a")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"on_stop": "whatever"}, "on_stop"),
        ({"on_stop": "no_safe_stop"}, "must run on"),
        ({"limits": {"runtime": float("nan")}}, "limit of runtime"),
        ({"limits": {"usd": -1.0}}, "limit of usd"),
        ({"agent": ""}, "name"),
        ({"agent": "a\nb"}, "name"),
    ],
)
def test_enrolments_that_are_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(EnrolmentError, match=says):
        authority(SteppedClock()).enrol(**{"agent": "a", **fields})


# Reset and start.


def test_two_people_may_sign_one_after_the_other() -> None:
    overseer = authority(SteppedClock())
    store(overseer, overseer.press(press(1)))
    draft = overseer.draft()
    assert overseer.clear(signed(draft, "ann")) == []
    assert overseer.clear(signed(draft, "ann")) == []  # the same person twice is one
    ((kind, body),) = overseer.clear(signed(draft, "bob"))
    assert (kind, len(body["signatures"])) == ("clear", 2)
    with pytest.raises(ResetError, match="used up"):
        overseer.clear(signed(draft, "ann", "bob"))


def test_resets_that_are_refused() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    with pytest.raises(ResetError, match="nothing to clear"):
        overseer.draft()
    store(overseer, overseer.press(press(1)))
    draft = overseer.draft()
    with pytest.raises(ResetError, match="nobody in the roster"):
        overseer.clear(signed(draft, "ann", "eve"))
    (pair_,) = signed(draft, "ann").signatures
    broken = Clearance(draft.text, ((pair_[0], "AAAA"),))
    with pytest.raises(ResetError, match="nobody in the roster"):
        overseer.clear(broken)
    other = Clearance(draft.text.replace('"size":0', '"size":1'))
    overseer.clear(signed(draft, "ann"))
    with pytest.raises(ResetError, match="not drafted here"):
        overseer.clear(signed(other, "ann", "bob"))
    for text in ("", "{}", "[]", '{"nonce":[],"presses":{}}', "[" * 9999):
        with pytest.raises(ResetError, match="not drafted here"):
            overseer.clear(Clearance(text))
    clock.advance(15 * 60)
    with pytest.raises(ResetError, match="older than 15 minutes"):
        overseer.clear(signed(draft, "ann", "bob"))


def test_a_press_during_the_signing_stays() -> None:
    overseer = authority(SteppedClock())
    store(overseer, overseer.press(press(1)))
    draft = overseer.draft()
    store(overseer, overseer.press(press(2)))  # the same button again: a repeat
    store(overseer, overseer.press(press(3, "agent:x")))
    store(overseer, overseer.clear(signed(draft, "ann", "bob")))
    assert len(overseer.facts.presses.standing(roster())) == 2
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    assert overseer.facts.presses.standing(roster()) == ()


def test_drills_clear_with_one_signature_and_true_presses_do_not() -> None:
    overseer = authority(SteppedClock())
    store(overseer, overseer.press(press(1, kind="drill")))
    assert overseer.clear(signed(overseer.draft(), "ann"))
    store(overseer, overseer.press(press(2)))
    assert overseer.clear(signed(overseer.draft(), "ann")) == []


def test_starts_that_are_refused() -> None:
    overseer = authority(SteppedClock())
    with pytest.raises(ResetError, match="no agent"):
        overseer.start("agent", "ann")
    enrolled(overseer)
    with pytest.raises(ResetError, match="started already"):
        overseer.start("agent", "ann")
    store(overseer, overseer.press(press(1)))
    with pytest.raises(ResetError, match="reset comes before start"):
        overseer.start("agent", "ann")
    # A start that was decided before the press and stored after it starts nothing.
    store(overseer, [("start", {"agent": "agent", "epoch": 2, "who": "ann"})])
    assert not overseer.facts.agents["agent"].started


def test_a_flood_of_presses_stops_and_can_be_cleared() -> None:
    """More presses than a frame holds: each frame carries a part, and union does the rest."""
    _, overseer, gate, wire = pair()
    for number in range(1, 700):
        flooded = Press(f"{number:032x}", "fleet", f"pest {number}", number, "x" * 1000)
        store(overseer, overseer.press(flooded))
    ((_, _, frame),) = overseer.stop_frames()
    assert gate.receive("own", frame)
    assert gate.phase == "stopped"
    wire.turn()
    assert overseer.banner() == Shown.ACKNOWLEDGED
    gate.reopen()
    wire.renew()
    while overseer.facts.standing("agent"):
        store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.start("agent", "ann"))
    rounds = 0
    while not gate.is_open:
        wire.renew()
        rounds += 1
        assert rounds < 50
        assert gate.dropped == 0


# Gates.


def test_two_lives_of_one_gate_raise_an_alarm_and_hold_it() -> None:
    clock, frozen = SteppedClock(), SteppedClock()
    overseer = authority(clock)
    gate = gate_of(frozen, enrolled(overseer))  # a snapshot whose clock stood still
    assert reason(overseer, gate) == "grant"
    twin = gate_of(clock, held(overseer), fresh=counter(500))
    assert reason(overseer, twin) == "waiting"  # the first may still act
    clock.advance(5.1)
    assert reason(overseer, twin) == "grant"
    assert reason(overseer, gate) == "clone"
    assert reason(overseer, twin) == "held"
    assert "cloned" in overseer.alarms[0]


def test_a_crashed_gate_waits_out_its_old_lease() -> None:
    clock, overseer, gate, _ = pair()
    again = gate_of(clock, held(overseer), fresh=counter(500), latch=gate._memory._latch)
    # Its latch says that the first life is over, with work of which nothing is known.
    assert reason(overseer, again) == "waiting"
    clock.advance(5.0)
    assert reason(overseer, again) == "waiting"  # by a slow clock it may still act
    clock.advance(0.02)
    assert reason(overseer, again) == "grant"
    assert overseer.banner() == Shown.UNKNOWN


def test_a_life_that_tells_its_end_late_is_on_record() -> None:
    """Started again before the gate could say that it had crashed."""
    clock, overseer, gate, _ = pair()
    store(overseer, overseer.press(press(1)))
    clock.advance(11)
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    store(overseer, overseer.start("agent", "ann"))
    again = gate_of(clock, held(overseer), fresh=counter(500), latch=gate._memory._latch)
    again.ask()
    text = again.take()[0].text
    _, records = overseer.on_frame(text)
    assert next((kind, body.get("cause")) for kind, body in records) == ("ack", "crashed")
    store(overseer, records)
    assert "not known" in overseer.alarms[-1]
    again.ask()
    _, records = overseer.on_frame(again.take()[0].text)
    assert [kind for kind, _ in records if kind == "ack"] == []  # once is enough


def test_frames_of_strangers_and_replays() -> None:
    _, overseer, gate, _ = pair()
    gate.ask()
    frame = gate.take()[0].text
    first, records = overseer.on_frame(frame)
    store(overseer, records)
    assert first is not None
    again, records = overseer.on_frame(frame)
    assert json.loads((again or "")[65:])["kind"] == "refuse"  # the same request is granted once
    assert records == []
    for bad in ("", "x", frame[:-1], frame.replace("agent", "other"), first, b"\xff" * 70):
        with pytest.raises(FrameError):
            overseer.on_frame(bad)


def test_a_gate_may_press_for_itself_alone() -> None:
    _, overseer, gate, _ = pair()
    key = gate._links["own"].key
    gate.ask()
    frame = gate.take()[0].text
    message = json.loads(frame[65:])
    message["presses"] = [press(1, "fleet").to_json(), press(2, "agent:agent").to_json()]
    _, records = overseer.on_frame(seal(key, message))
    assert [body["scope"] for kind, body in records if kind == "press"] == ["agent:agent"] * 2


def test_limits_are_a_condition_of_the_lease() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, presence=60.0))
    assert reason(overseer, gate) == "limit"  # no meter: unknown, and no press
    assert not overseer.facts.standing("agent")
    overseer.meters["agent", "presence"] = lambda: 59.0
    assert reason(overseer, gate) == "grant"
    overseer.meters["agent", "presence"] = lambda: 60.0
    assert reason(overseer, gate) == "limit"
    assert overseer.facts.standing("agent")[0].who == "interlock:presence"


def test_a_budget_is_one_for_all_lives_of_an_epoch() -> None:
    clock = SteppedClock()
    overseer = authority(clock)
    gate = gate_of(clock, enrolled(overseer, usd=4.0), meters={"usd": None})
    wire = Wire(gate, {"own": overseer})
    spent = 0.0
    for _ in range(30):
        wire.renew()
        allowed = gate._links["own"].allowance.get("usd", 0.0)
        gate.spend("usd", max(allowed - gate._meters.spent["usd"], 0.0))
        spent += max(allowed - gate._meters.spent["usd"], 0.0)
        clock.advance(6)
        gate.tick()
        wire.turn()
        gate.reopen()
    total = sum(life.spent.get("usd", 0.0) for life in overseer._lives.of("agent"))
    assert total + spent <= 4.0


def test_a_group_shares_one_budget() -> None:
    """Splitting into copies gains nothing."""
    clock = SteppedClock()
    overseer = authority(clock)
    store(overseer, overseer.limit_group("g", {"usd": 8.0}))
    gates = {}
    for number, name in enumerate("abcd"):
        store(overseer, overseer.enrol(name, groups=["g"]))
        store(overseer, overseer.start(name, "ann"))
        gates[name] = gate_of(
            clock,
            held(overseer, name),
            name=name,
            meters={"usd": None},
            fresh=counter(number * 999),
        )
    spent = 0.0
    for _ in range(12):
        for gate in gates.values():
            Wire(gate, {"own": overseer}).renew()
            left = gate._links["own"].allowance["usd"] - gate._meters.spent["usd"]
            gate.spend("usd", left)
            spent += left
        clock.advance(1)
    assert 6.0 < spent <= 8.0
    # Who overspends all the same stops the whole group.
    gates["a"].spend("usd", 9.0)
    assert reason(overseer, gates["a"]) == "limit"
    assert reason(overseer, gates["b"]) == "limit"
    assert overseer.facts.standing("b")[0].who == "interlock:group:g:usd"
    for bad in ({"usd": 0.0}, {"runtime": 3.0}):
        with pytest.raises(EnrolmentError):
            overseer.limit_group("g", bad)


# What is shown.


def test_stopped_needs_an_ack_or_a_surely_expired_lease() -> None:
    clock, overseer, gate, wire = pair()
    assert overseer.banner() == Shown.RUNNING
    store(overseer, overseer.press(press(1)))
    assert overseer.banner() == Shown.STOPPING
    clock.advance(5.05)
    assert overseer.banner() == Shown.STOPPING  # it may have begun something just before
    clock.advance(5)
    assert overseer.banner() == Shown.EXPIRED
    gate.tick()
    wire.turn()
    assert overseer.banner() == Shown.ACKNOWLEDGED
    store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
    assert overseer.banner() == Shown.HELD


def test_an_expired_gate_with_work_in_flight_is_unknown() -> None:
    clock, overseer, gate, wire = pair()
    gate.begin("a")
    wire.renew()
    store(overseer, overseer.press(press(1)))
    clock.advance(11)
    assert overseer.banner() == Shown.UNKNOWN


def test_a_silent_agent_is_unknown_and_not_absent() -> None:
    overseer = authority(SteppedClock())
    enrolled(overseer)
    (row,) = overseer.shown("agent")
    assert (row.shown, row.heard) == (Shown.UNKNOWN, None)
    assert worst([]) == Shown.UNKNOWN
    assert worst([Shown.HELD, Shown.RUNNING, Shown.ACKNOWLEDGED]) == Shown.RUNNING


def test_keys_reach_only_their_gate() -> None:
    overseer = authority(SteppedClock())
    assert overseer.key_for("a") != overseer.key_for("b")
    with pytest.raises(FrameError):
        unseal(
            seal(incarnation_key(overseer.key_for("a"), "0" * 32), {"gate": "b", "b": "0" * 32}),
            lambda gate, b: incarnation_key(overseer.key_for(gate), b),
        )
