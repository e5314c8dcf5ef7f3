"""Frames and leases: what is authentic is read, nothing else is, and only one error is raised."""

from __future__ import annotations

import contextlib
import hmac
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.worlds import authority, enrolled, gate_of, pair, press

from freezetag.live.gate.clock import SteppedClock
from freezetag.live.signed.frames import (
    ACK,
    FIELDS,
    LARGEST,
    FrameError,
    bound,
    gate_key,
    incarnation_key,
    seal,
    settle,
    unseal,
)
from freezetag.live.signed.presses import Presses

B = "ab" * 16
KEY = incarnation_key(gate_key(b"secret", "agent"), B)
ACKED = {
    "acked": B,
    "presses": [],
    "last": 3,
    "unknown": ["3:pay"],
    "category": 0,
    "cause": "press",
    "policy": [],
}
EMPTY = Presses().to_json()
GOOD: dict[str, dict[str, Any]] = {
    "renew": {
        "n": 1,
        "phase": "open",
        "in_flight": 0,
        "last": 3,
        "spent": {"usd": 1.5},
        "head": "",
        "root": "",
        "size": 0,
        "presses": [press(1).to_json()],
        "ack": ACKED,
    },
    "ack": ACKED,
    "grant": {
        "n": 1,
        "length": 5.0,
        "epoch": 1,
        "scope": ["fleet"],
        "slice": {},
        "runtime": 0.0,
        "checkpoint": "",
        "proof": ["00" * 32],
    },
    "refuse": {"n": 1, "reason": "held", "state": EMPTY},
    "stop": {"state": Presses([press(1)]).to_json()},
}


def frame(kind: str, /, **change: Any) -> str:
    return seal(KEY, {"kind": kind, "gate": "agent", "b": B, **GOOD[kind], **change})


def key_of(gate: str, b: str) -> bytes | None:
    return KEY if (gate, b) == ("agent", B) else None


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_sealed_is_read(kind: str) -> None:
    message = unseal(frame(kind), key_of)
    assert (message["kind"], message["gate"], message["b"]) == (kind, "agent", B)
    assert unseal(frame(kind).encode(), key_of).keys() == message.keys()
    if kind == "stop":
        assert message["state"].presses == {press(1)}
    if kind == "renew":
        assert message["presses"] == (press(1),)
    assert GOOD.keys() == FIELDS.keys()


@pytest.mark.parametrize("kind", GOOD)
def test_a_field_that_is_missing_or_wrong_is_an_error(kind: str) -> None:
    for field in FIELDS[kind]:
        message = {"kind": kind, "gate": "agent", "b": B, **GOOD[kind]}
        del message[field]
        with pytest.raises(FrameError, match=field):
            unseal(seal(KEY, message), key_of)
        for bad in (None, True, -1, "x" * 5000, [[]], {"a": "b"}, {"a": [1]}):
            if not (field == "ack" and bad is None):
                with pytest.raises(FrameError):
                    unseal(frame(kind, **{field: bad}), key_of)


@pytest.mark.parametrize("field", ACK)
def test_an_acknowledgement_inside_a_renewal_is_checked_too(field: str) -> None:
    with pytest.raises(FrameError):
        unseal(frame("renew", ack={**ACKED, field: {"x": 1}}), key_of)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"kind": None},
        {"kind": []},
        {"gate": "stranger"},
        {"gate": 3},
        {"gate": "x" * 201},
        {"b": "cd" * 16},
        {"b": "AB" * 16},
        {"b": None},
        {"length": 0.0},
        {"length": "5"},
        {"proof": ["00"]},
        {"runtime": -1.0},
    ],
)
def test_names_kinds_and_numbers(change: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        unseal(frame("grant", **change), key_of)


@pytest.mark.parametrize("body", ['{"a":NaN}', '{"a":Infinity}', "[" * 60_000, "9" * 5000, "", "1"])
def test_json_that_is_none(body: str) -> None:
    code = hmac.digest(KEY, body.encode(), "sha256").hex()
    with pytest.raises(FrameError):
        unseal(f"{code} {body}", key_of)


def test_a_frame_too_large_is_refused_unread() -> None:
    with pytest.raises(FrameError, match="larger"):
        unseal("0" * (LARGEST + 1), key_of)


def test_a_number_too_large_for_a_double_is_no_number() -> None:
    body = frame("grant")[65:].replace('"length":5.0', '"length":1e999')
    with pytest.raises(FrameError):
        unseal(f"{hmac.digest(KEY, body.encode(), 'sha256').hex()} {body}", key_of)


@given(st.sampled_from(sorted(GOOD)), st.integers(0, 10**6), st.integers(1, 255))
def test_one_changed_byte_is_not_authentic(kind: str, at: int, change: int) -> None:
    raw = bytearray(frame(kind).encode())
    raw[at % len(raw)] ^= change
    with pytest.raises(FrameError):
        unseal(bytes(raw), key_of)


@given(st.text() | st.binary())
def test_anything_else_raises_the_same_error(text: Any) -> None:
    with pytest.raises(FrameError):
        unseal(text, key_of)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_even_who_holds_the_key_cannot_raise_another_error(kind: str, data: Any) -> None:
    """Authentic and absurd: read, or `FrameError`; and a gate stays as it was, or stops."""
    change = {data.draw(st.sampled_from(sorted(FIELDS[kind]))): data.draw(values)}
    try:
        text = frame(kind, **change)
    except ValueError:  # infinities have no JSON
        return
    with contextlib.suppress(FrameError):
        unseal(text, key_of)


@pytest.mark.parametrize("throws", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_authentic_absurdities_open_no_gate(throws: int) -> None:
    """Fields exchanged for odd values, under a good key: nothing raises, nothing opens."""
    dice = random.Random(throws)
    clock = SteppedClock()
    gate = gate_of(clock, enrolled(authority(clock)))
    gate.ask()
    key = gate._links["own"].key
    odd = [None, True, -1, 0, 1, 2, 1e9, "", "x", [], {}, [1], {"a": 1}, EMPTY, math.pi, "00" * 32]
    for _ in range(throws):
        kind = dice.choice(sorted(GOOD))
        message = {"kind": kind, "gate": "agent", "b": gate.b, **GOOD[kind]}
        for field in dice.sample(sorted(message), 2):
            message[field] = dice.choice(odd)
        if kind == "grant" and unchanged(message):
            continue
        gate.receive("own", seal(key, message))
        assert not gate.is_open
        gate.reopen()
        key = gate._links["own"].key


def unchanged(message: dict[str, Any]) -> bool:
    """Whether this is still the grant of a lease."""
    good = {"kind": "grant", "gate": "agent", **GOOD["grant"]}
    needed = ("kind", "gate", "n", "length", "epoch")
    try:
        text = seal(KEY, {**message, "b": B})
        unseal(text, lambda gate, b: KEY)
    except FrameError:
        return False
    return all(message[field] == good[field] or field in ("length", "epoch") for field in needed)


# Arithmetic.


def test_the_bound_and_the_wait() -> None:
    assert bound(5.0) == pytest.approx(5.005, abs=1e-5)
    assert bound(1.0) == pytest.approx(1.001, abs=1e-5)
    # A slow gate and a fast authority: the authority still waits longer than the lease lasts.
    for rho in (0.0, 1e-3, 0.1):
        gate_seconds, own_rate = 5.0 / (1 - rho), 1 + rho
        assert settle(5.0, rho) >= gate_seconds * own_rate - 1e-12


@given(st.integers(0, 3), st.floats(0, 10), st.floats(0.999, 1.0))
def test_no_admission_after_the_bound_on_a_slow_clock(late: int, at: float, rate: float) -> None:
    """A press at `at`; whatever is asked after it, and however slow the gate's clock is."""
    clock, overseer, gate, wire = pair()
    real = 0.0
    pressed = None
    while real < at + bound(5.0) + 3:
        real += 0.25
        clock.advance(0.25 * rate)
        if pressed is None and real >= at:
            pressed = real
            for kind, body in overseer.press(press(1)):
                overseer.apply(kind, body)
        if int(real * 4) % (2 + late) == 0 and pressed is None:
            wire.renew()
        if pressed is not None and real > pressed + bound(5.0):
            assert not gate.is_open
    assert not gate.is_open


def test_keys_differ_by_gate_and_incarnation() -> None:
    keys = {
        incarnation_key(gate_key(s, g), b) for s in (b"1", b"2") for g in "xy" for b in (B, "0")
    }
    assert len(keys) == 8
