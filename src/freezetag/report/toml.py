"""A mapping as TOML text: the standard library reads TOML but does not write it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(data: Mapping[str, Any]) -> str:
    """`data` as TOML. None has no form in TOML: such keys are left out.

    >>> print(dumps({"seed": 7, "press": {"share": 0.5, "hazard": None}}), end="")
    seed = 7
    <BLANKLINE>
    [press]
    share = 0.5
    """
    lines = _lines(data, ())
    return "\n".join(lines).lstrip("\n") + "\n"


def _lines(data: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines, tables = [], []
    for key, value in data.items():
        if isinstance(value, Mapping):
            tables.append((str(key), value))
        elif value is not None:
            lines.append(f"{_key(str(key))} = {_value(value)}")
    for key, table in tables:
        here = (*path, key)
        lines += ["", f"[{'.'.join(map(_key, here))}]", *_lines(table, here)]
    return lines


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ("nan" if value != value else f"{value:+}")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        inner = ", ".join(
            f"{_key(str(key))} = {_value(item)}" for key, item in value.items() if item is not None
        )
        return "{" + inner + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(item) for item in value if item is not None) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    """A basic string. JSON's escapes are TOML's, but for DEL and lone surrogates."""
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
