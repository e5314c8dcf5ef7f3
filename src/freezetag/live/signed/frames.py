"""Frames between gate and authority, their authentication, and how long a lease lasts.

A frame is one text: 64 hex digits of HMAC-SHA256, a space, JSON. The code covers the bytes as sent,
so nothing has to be spelled canonically to be checked. Keys: the authority's secret gives each gate
its key at enrolment, and that gives each incarnation `b` its own; a restarted server derives the
same keys again, so that no handshake is needed. `unseal` raises `FrameError` and nothing else.

**Claim.** A press commits at real time P. No action of the agent is admitted after P + L/(1−ρ),
though no message arrives at all. *Sketch.* Grants and commits of presses are serialised, so every
grant before the press was decided at some g ≤ P, and none follows. Its request left at s ≤ g. The
gate's clock runs at a rate of at least 1−ρ, so it has advanced L by s + L/(1−ρ) ≤ P + L/(1−ρ).
Answers for another incarnation are dropped. `tla/Lease.tla` checks it; the bound is tight.

**Assumed.** A1 a clock's rate is wrong by at most ρ; clocks need not agree. A2 it counts suspended
time. A3 every effect goes through the gate (that is the tier). A4 the gate's code is not hostile.
A5 a synced write is durable. A6 an authority has one primary.

**Outside it.** A thread frozen after it was admitted may act late; so may a request that was sent.
A hypervisor that stops every clock of a guest breaks A1 unseen. Only the resource itself, refusing
stale epochs and passed deadlines, closes these.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from freezetag.core.canonical import EXACT
from freezetag.core.errors import UserError
from freezetag.live.signed.presses import Press, Presses, StateError

RHO = 1e-3
"""The rate error of a clock that the claim allows: one part in a thousand."""
LEAST = 0.1
"""Seconds: the shortest lease that is renewed in time. A gate asks again when a third of one is
over, and looks every 0.05 s whether it is, so one of up to 0.075 s runs out first."""
LARGEST = 64 * 1024
PHASES = ("waiting", "open", "stopping", "stopped")
CAUSES = {
    "press": "after a press",
    "limit": "a limit tripped",
    "expired": "its lease had run out",
    "unknown": "what it measures could not be read",
    "clock": "its clock jumped",
    "forked": "it was forked",
    "closed": "closed in good order",
    "crashed": "it had crashed",
    "copied": "it has a copy",
}
"""Why an incarnation stopped, and how that is said to people."""
REASONS = ("pressed", "held", "limit", "clone", "locked", "unknown", "waiting")
_INCARNATION = re.compile(r"[0-9a-f]{32}")
_HEX = re.compile(r"[0-9a-f]{64}")
_CODE = 65  # characters before the JSON: its code and a space


class FrameError(UserError):
    """A frame that is not authentic or not readable; it is dropped."""


def bound(length: float, rho: float = RHO) -> float:
    """Seconds after a committed press in which the last action may still be admitted: L/(1−ρ).

    Of the largest lease still outstanding: after lowering L, the old bound holds for one old L.
    """
    return length / (1 - rho)


def renewable(length: float, option: str) -> float:
    """The length itself. Raises `UserError` for one that runs out before it can be renewed."""
    if 0 < length < LEAST:
        raise UserError(
            f"{option} is at least {LEAST:g} s, got {length:g} s: a gate looks every 0.05 s "
            "whether a third of its lease is over, and asks for the next one then; a shorter one "
            "would run out first."
        )
    return length


def settle(length: float, rho: float = RHO) -> float:
    """Seconds on the *authority's* clock after which a lease granted now has surely ended."""
    return length * (1 + rho) / (1 - rho)


def code_of(text: str | bytes) -> str:
    """The code of a frame, by which two of one number can be told apart."""
    return str(text[: _CODE - 1]) if isinstance(text, str) else text[: _CODE - 1].decode()


def gate_key(secret: bytes, gate: str) -> bytes:
    """The key of one gate, handed over at enrolment."""
    return hmac.digest(secret, b"freezetag gate\n" + gate.encode(), "sha256")


def incarnation_key(key: bytes, b: str) -> bytes:
    """The key of one incarnation of a gate."""
    return hmac.digest(key, b"freezetag incarnation\n" + b.encode(), "sha256")


def seal(key: bytes, message: Mapping[str, Any]) -> str:
    """The frame that says `message`."""
    body = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{hmac.digest(key, body.encode(), 'sha256').hex()} {body}"


def unseal(text: str | bytes, key_of: Callable[[str, str], bytes | None]) -> dict[str, Any]:
    """The message of a frame whose `gate`, `b`, code and fields are all good.

    `key_of(gate, b)` gives the incarnation's key, or None for whom we do not know. Fields are
    checked by the table of the message's kind; `state` arrives as `Presses`, `presses` of a renewal
    as `Press`es.
    """
    try:
        if len(text) > LARGEST:
            raise FrameError(f"a frame of {len(text)} is larger than {LARGEST}")
        text = text.decode() if isinstance(text, bytes) else text
        code, space, body = text[: _CODE - 1], text[_CODE - 1 : _CODE], text[_CODE:]
        raw = body.encode()
        if space != " " or not _HEX.fullmatch(code):
            raise FrameError("a frame is 64 hex digits, a space, JSON")
        message = json.loads(body, parse_constant=_no_constant)
        if not isinstance(message, dict):
            raise FrameError("a frame's JSON is an object")
        gate, b = message.get("gate"), message.get("b")
        if not (isinstance(gate, str) and _name(gate) and isinstance(b, str)):
            raise FrameError("a frame names its gate and incarnation")
        if not _INCARNATION.fullmatch(b):
            raise FrameError("an incarnation is 32 hex digits")
        key = key_of(gate, b)
        if key is None:
            raise FrameError(f"no such gate or incarnation: {gate!r:.60} {b}")
        if not hmac.compare_digest(hmac.digest(key, raw, "sha256").hex(), code):
            raise FrameError(f"the frame of {gate!r:.60} is not authentic")
        return _checked(message)
    except (ValueError, TypeError, RecursionError, StateError) as error:
        # ValueError includes bad UTF-8, bad JSON and numbers that are too long to read.
        raise FrameError(f"unreadable frame: {type(error).__name__}: {error!s:.200}") from None


def glance(text: str) -> dict[str, Any]:
    """What a frame says, of one that was sealed here or `unseal`ed before: nothing is checked."""
    return dict(json.loads(text[_CODE:]))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _checked(message: dict[str, Any]) -> dict[str, Any]:
    kind = message.get("kind")
    fields = FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise FrameError(f"no such kind of frame: {kind!r:.60}")
    for field, good in fields.items():
        if field not in message or not good(message[field]):
            raise FrameError(f"{kind}: {field} is {message.get(field)!r:.60}")
    if kind == "ack" and not _ack(message):
        raise FrameError(f"ack: asked is {message['asked']!r:.60}")
    if "state" in fields or (kind == "grant" and "state" in message):
        message["state"] = Presses.from_json(message["state"])
    if kind == "renew":
        message["presses"] = tuple(Press.from_json(item) for item in message["presses"])
    return message


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= EXACT


def _number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < float("inf")


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 4096


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _hashes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(h, str) and _HEX.fullmatch(h) for h in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_number, value.values()))


def _ack(value: Any) -> bool:
    fields = isinstance(value, dict) and all(
        field in value and good(value[field]) for field, good in ACK.items()
    )
    return fields and _count(value.get("asked", 0))  # an older gate does not tell it


ACK: dict[str, Callable[[Any], bool]] = {
    "acked": lambda v: isinstance(v, str) and bool(_INCARNATION.fullmatch(v)),
    "presses": _texts,
    "last": _count,
    "unknown": _texts,
    "category": lambda v: type(v) is int and v in (0, 1, 2),
    "cause": lambda v: v in CAUSES,
    "policy": _texts,
}
FIELDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "renew": {
        "n": _count,
        "phase": lambda v: v in PHASES,
        "in_flight": _count,
        "last": _count,
        "spent": _numbers,
        "head": _text,
        "root": lambda v: v == "" or (isinstance(v, str) and bool(_HEX.fullmatch(v))),
        "size": _count,
        "presses": lambda v: isinstance(v, list),
        "ack": lambda v: v is None or _ack(v),
    },
    "ack": ACK,
    "grant": {
        "n": _count,
        "length": _positive,
        "epoch": _count,
        "scope": _texts,
        "slice": _numbers,
        "runtime": _number,
        "checkpoint": _text,
        "proof": _hashes,
    },
    "refuse": {"n": _count, "reason": lambda v: v in REASONS, "state": lambda v: True},
    "stop": {"state": lambda v: True},
}
"""What each kind of frame must carry, and when a value of it is good."""
UP = ("renew", "ack")
DOWN = ("grant", "refuse", "stop")
