"""CBOR as far as WebAuthn uses it (RFC 8949).

Integers, bytes, text, arrays, maps, true, false and null, of definite length, at most eight deep.
What is cut short, or anything else, is refused.
"""

from __future__ import annotations

from typing import Any

from freezetag.core.errors import UserError

DEEPEST = 8
_SIMPLE = {20: False, 21: True, 22: None}


class CborError(UserError):
    """Bytes that are no CBOR, or of a kind that WebAuthn does not use."""


def read(data: bytes) -> tuple[Any, bytes]:
    """The first value and the bytes after it. Raises `CborError`.

    >>> read(bytes.fromhex("a201024161416200"))
    ({1: 2, b'a': b'b'}, b'\\x00')
    """
    value, end = _read(data, 0, 0)
    return value, data[end:]


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > DEEPEST:
        raise CborError(f"CBOR is nested more than {DEEPEST} deep.")
    head = _bytes(data, at, 1)[0]
    kind, short = head >> 5, head & 31
    at += 1
    if kind == 7:
        if short not in _SIMPLE:
            raise CborError(f"CBOR's simple value {short} has no use here.")
        return _SIMPLE[short], at
    if short > 27:
        raise CborError("CBOR of indefinite length has no use here.")
    n = short
    if short > 23:
        width = 1 << short - 24
        n, at = int.from_bytes(_bytes(data, at, width), "big"), at + width
    if kind < 2:
        return (n if kind == 0 else -1 - n), at
    if kind < 4:
        raw = _bytes(data, at, n)
        try:
            return (raw if kind == 2 else raw.decode()), at + n
        except UnicodeDecodeError:
            raise CborError("CBOR's text is no UTF-8.") from None
    if n > len(data):
        raise CborError("CBOR is cut short.")
    if kind == 4:
        items = []
        for _ in range(n):
            item, at = _read(data, at, depth + 1)
            items.append(item)
        return items, at
    if kind == 5:
        told: dict[Any, Any] = {}
        for _ in range(n):
            key, at = _read(data, at, depth + 1)
            if type(key) not in (int, bytes, str) or key in told:
                raise CborError(f"CBOR's map has the key {key!r:.40} twice, or it can be none.")
            told[key], at = _read(data, at, depth + 1)
        return told, at
    raise CborError("CBOR's tags have no use here.")


def _bytes(data: bytes, at: int, n: int) -> bytes:
    if at + n > len(data):
        raise CborError("CBOR is cut short.")
    return data[at : at + n]
