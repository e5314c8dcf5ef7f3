"""Replay: a journal decided again by a fresh gate; one that was altered comes out differently."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.worlds import pair, press, signed, store

from freezetag.core import Panel, PowerLimit, RuntimeLimit
from freezetag.core.gate import Refused
from freezetag.core.journal import GENESIS, Journal, JournalError, read
from freezetag.live.gate.replay import replay

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["begin", "end", "tick", "renew", "press", "reset", "local"])),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 3.0, 6.0])),
        st.tuples(st.just("power"), st.sampled_from([1.0, 3.0, 3.5, math.nan])),
        st.tuples(st.sampled_from(["back", "close"])),
    ),
    max_size=25,
)


def session(steps: Any) -> list[bytes]:
    """The journal of a gate under these steps, with an authority on a good wire."""
    lines: list[bytes] = []
    power = [1.0]
    clock, overseer, gate, wire = pair(
        panel=Panel((PowerLimit(3.0), RuntimeLimit(40.0, unit="seconds"))),
        meters={"power": lambda: power[0]},
        journal=Journal(lines.append),
    )
    running: list[int] = []
    for number, (what, *more) in enumerate(steps):
        if what == "begin":
            with contextlib.suppress(Refused):
                running.append(gate.begin(f"action {number % 3}"))
        elif what == "end" and running:
            gate.end(running.pop(), ("done", "failed", "unknown")[number % 3])
        elif what == "tick":
            gate.tick()
        elif what == "renew":
            wire.renew()
        elif what == "press":
            store(overseer, overseer.press(press(number)))
            for _, _, frame in overseer.stop_frames():
                gate.receive("own", frame)
        elif what == "local":
            gate.press("by hand")
        elif what == "reset":
            while running:
                gate.end(running.pop())
            wire.renew()
            if overseer.facts.standing("agent"):
                store(overseer, overseer.clear(signed(overseer.draft(), "ann", "bob")))
                store(overseer, overseer.start("agent", "ann"))
            gate.reopen()
            wire.renew()
        elif what == "wait":
            clock.advance(*more)
        elif what == "power":
            power[:] = more
        elif what == "back":
            clock.advance(-1.0)
        elif what == "close":
            gate.close()
    return lines


def chained(entries: list[dict[str, Any]]) -> list[bytes]:
    """Entries as a journal whose chain is whole: what somebody with the file could write."""
    lines, link = [], GENESIS
    for entry in entries:
        line = json.dumps({**entry, "prev": link}, separators=(",", ":")).encode()
        link = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
    return lines


@settings(max_examples=150)
@given(STEPS)
def test_a_session_replays_to_the_same_decisions(steps: Any) -> None:
    lines = session(steps)
    found = replay(lines)
    assert found.same, (found.differences, found.unjudged)
    kinds = [entry["kind"] for entry in read(lines)]
    assert found.decisions == sum(kind in ("begin", "refused", "stop") for kind in kinds)


@settings(max_examples=150)
@given(STEPS, st.data())
def test_one_altered_decision_is_found(steps: Any, data: Any) -> None:
    begin = [("begin",), *steps, ("begin",)]
    entries = list(read(session(begin)))
    decided = [
        i
        for i, entry in enumerate(entries)
        if entry["kind"] in ("begin", "refused")
        or (entry["kind"] == "stop" and entry["cause"] in ("limit", "expired", "unknown"))
    ]
    where = data.draw(st.sampled_from(decided))
    entry = dict(entries[where])
    if entry["kind"] == "begin":
        change = data.draw(st.sampled_from(["refuse", "number", "mode", "reading"]))
        if change == "refuse":
            entry |= {"kind": "refused", "reason": "as somebody wrote"}
        elif change == "number":
            entry["n"] += 7
        elif change == "mode":
            entry["mode"] = 1
        else:
            entry["reading"] = {**entry["reading"], "power": 99.0}
    elif entry["kind"] == "refused":
        n = 1 + max([0, *(e["n"] for e in entries[:where] if e["kind"] == "begin")])
        entry |= {"kind": "begin", "n": n, "detail": None}
    else:
        entry["cause"] = "closed"
    entries[where] = entry
    assert not replay(chained(entries)).same


def test_an_altered_line_breaks_the_chain_first() -> None:
    lines = session([("begin",), ("end",), ("local",)])
    lines[1] = lines[1].replace(b'"t":0.0', b'"t":9.0')
    with pytest.raises(JournalError, match="entry 2 does not follow entry 1"):
        replay(lines)


def test_what_an_authority_kept_back_is_unjudged() -> None:
    """A spent slice is no reading: the journal has its reason and not its input."""
    entries = list(read(session([("begin",), ("begin",)])))
    assert [entry["kind"] for entry in entries] == ["open", "begin", "begin"]
    entries[2] |= {"kind": "refused", "reason": "the lease's slice of tokens (5) is spent"}
    found = replay(chained(entries))
    assert found.differences == ()
    (told,) = found.unjudged
    assert told.startswith("entry 2 ('action 1') was refused, by what is not recorded: the lease's")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "begun"}, "no entries of kind 'begun'"),
        ({"reading": None}, "entry 1 cannot be replayed"),
        ({"t": "soon"}, "entry 1 cannot be replayed"),
    ],
)
def test_entries_that_are_none_are_errors(change: dict[str, Any], said: str) -> None:
    entries = list(read(session([("begin",)])))
    entries[1] |= change
    with pytest.raises(JournalError, match=said):
        replay(chained(entries))


def test_an_interlock_of_the_users_own_cannot_be_replayed() -> None:
    entries = list(read(session([("begin",)])))
    entries[0]["panel"] = [{"interlock": "MyOwn", "sensor": "x"}]
    with pytest.raises(JournalError, match="'MyOwn' is not one of StopButton"):
        replay(chained(entries))
