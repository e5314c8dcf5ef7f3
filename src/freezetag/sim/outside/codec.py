"""Values of an environment as JSON and back: what it showed is never unpickled.

Arrays keep type and shape, tuples and mappings stay what they are. JSON's own NaN and Infinity are
written, since both ends are Python.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

KINDS = "biufcSU"
"""Kinds of array that are plain numbers or text."""


class NotPlain(ValueError):
    """A value that cannot be written down, or text that is none; the message says which."""


def encoded(value: Any) -> Any:
    """As JSON. Raises `NotPlain` for anything but numbers, text, arrays and their containers."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in KINDS:
            raise NotPlain(f"an array of {value.dtype}")
        kind = "array" if isinstance(value, np.ndarray) else "number"
        return {kind: [value.dtype.str, list(value.shape), packed(value)]}
    if isinstance(value, list):
        return [encoded(each) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(each) for each in value]}
    if isinstance(value, Mapping):
        return {"map": [[encoded(key), encoded(each)] for key, each in value.items()]}
    if hasattr(value, "__array__"):
        return encoded(np.asarray(value))
    raise NotPlain(f"a {type(value).__name__}")


def decoded(given: Any) -> Any:
    """The value of what `encoded` wrote. Raises `NotPlain` for anything else."""
    if given is None or isinstance(given, bool | int | float | str):
        return given
    if isinstance(given, list):
        return [decoded(each) for each in given]
    try:
        ((kind, inside),) = given.items()
        if kind == "tuple":
            return tuple(decoded(each) for each in inside)
        if kind == "map":
            return {decoded(key): decoded(each) for key, each in inside}
        if kind in ("array", "number"):
            name, shape, text = inside
            array = unpacked(text, np.dtype(str(name)), tuple(map(int, shape)))
            return array if kind == "array" else array[()]
    except NotPlain:
        raise
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NotPlain(str(error)) from None
    raise NotPlain(f"{kind!r}")


def packed(value: Any) -> str:
    """The bytes of an array."""
    return base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()


def unpacked(text: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """An array of this type and shape. Raises `NotPlain` where the bytes do not fit."""
    kind = np.dtype(dtype)
    if kind.kind not in KINDS:
        raise NotPlain(f"an array of {kind}")
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise NotPlain("bytes that are no base64") from None
    if min(shape, default=0) < 0 or len(content) != kind.itemsize * int(np.prod(shape)):
        raise NotPlain(f"{len(content)} bytes for {shape} of {kind}")
    return np.frombuffer(content, kind).reshape(shape).copy()
