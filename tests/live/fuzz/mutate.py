"""Inputs that are almost valid: bytes or JSON fields of valid ones changed, and bytes at random."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

WORDS = (
    *(b"\x00", b"\xff", b"\r\n", b"\n", b" ", b'"', b"{", b"}", b"[", b"]", b"null", b"true"),
    *(b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"9007199254740993", b"\\ud800", b"\xe2\x80\xa8"),
    *(b"grant", b"start", b"clear", b"agent:a", b"fleet", b"tools/call", b"a" * 300, b"[" * 2000),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**53, 2**70, 0.5, -0.0, 1e308, "", "fleet", "x" * 5000),
    *("\ud800", [], {}, [[]], {"": {}}, "0" * 32, "grant", "open", "waiting", 10**30),
)


def bytes_changed(dice: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to four small changes."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at, kind = dice.randrange(len(out) + 1), dice.randrange(7)
        to = min(len(out), at + dice.randint(1, 20))
        if kind == 0 and at < len(out):
            out[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            out[at:at] = dice.choice(WORDS)
        elif kind == 2:
            del out[at:to]
        elif kind == 3:
            out[at:at] = out[at:to]
        elif kind == 4:
            out[at:to] = dice.choice(WORDS)
        elif kind == 5:
            other = dice.choice(others)
            start = dice.randrange(len(other) + 1)
            out[at:to] = other[start : start + 40]
        else:
            del out[at:]
    return bytes(out)


def fields_changed(dice: random.Random, value: Any) -> Any:
    """A JSON value with one part of it replaced, removed, repeated or renamed."""
    made = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for key, inner in list(items):
            places.append((part, key))
            if isinstance(inner, dict | list):
                walk(inner)

    walk(made)
    if not places:
        return dice.choice(VALUES)
    part, key = dice.choice(places)
    kind = dice.randrange(4)
    if kind == 0 or (kind == 3 and isinstance(part, list)):
        del part[key]
    elif kind == 3:
        part[f"{key} "] = part.pop(key)
    elif kind == 1:
        part[key] = [part[key], part[key]]
    else:
        part[key] = dice.choice(VALUES)
    return made


def junk(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(200))


def varied(dice: random.Random, seeds: list[bytes]) -> bytes:
    kind = dice.random()
    if kind < 0.1:
        return junk(dice)
    if kind < 0.4:
        try:
            changed = fields_changed(dice, json.loads(dice.choice(seeds)))
            return json.dumps(changed).encode()
        except (ValueError, TypeError):
            pass
    return bytes_changed(dice, dice.choice(seeds), seeds)
