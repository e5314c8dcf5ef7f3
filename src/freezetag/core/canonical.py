"""Canonical JSON (RFC 8785): one spelling per value, so that bytes can be signed and hashed.

Pure. `NaN`, infinities, lone surrogates and integers that a double cannot hold have no spelling.
"""

from __future__ import annotations

import json
from typing import Any

EXACT = 2**53
"""Integers beyond ±EXACT are not the same number in every JSON reader."""

_quote = json.JSONEncoder(ensure_ascii=False).encode
_fast = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def canonical(value: Any) -> bytes:
    """The bytes of `value` in RFC 8785; raises `ValueError` for what has no canonical form.

    >>> canonical({"b": [1, 2.0, 1e-7], "a": "\\u20ac"}).decode()
    '{"a":"€","b":[1,2,1e-7]}'
    """
    try:
        return (_fast(value) if _is_plain(value) else _spell(value)).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a lone surrogate has no canonical form: {error.object!r}") from None
    except RecursionError:
        raise ValueError("nested too deeply for a canonical form") from None


def _is_plain(value: Any) -> bool:
    """Whether the standard encoder spells it canonically: no floats, keys in ASCII."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-EXACT <= value <= EXACT)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(value[key]) for key in value)
    return kind is list and all(map(_is_plain, value))


def _spell(value: Any) -> str:
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) > EXACT:
            raise ValueError(f"{value} is beyond 2^53: write it as text")
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"keys must be text, got {list(value)[:5]!r}")
        # RFC 8785 sorts by UTF-16 units, which is not the order of code points.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_quote(key)}:{_spell(value[key])}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_spell, value)) + "]"
    raise ValueError(f"{type(value).__name__} has no canonical form: {value!r}")


def _number(value: float) -> str:
    """ECMAScript's spelling of a double: the shortest digits, exponents from 1e21 and 1e-7."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} has no canonical form: write null for an unknown number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    # The value is 0.DIGITS times ten to the `point`.
    point = len(whole) + int(exponent or 0)
    padded = whole + fraction
    point -= len(padded) - len(padded.lstrip("0"))
    digits = padded.strip("0")
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        power = f"e{point - 1:+d}"
        text = digits[0] + (f".{digits[1:]}" if count > 1 else "") + power
    return sign + text
