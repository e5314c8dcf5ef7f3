"""Names with settings, "ZDExtortion(phi=0.1)", and the nearest of many names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from freezetag.core import named
from freezetag.sim.foreign import BadAgent


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """(name, settings) of "name" or "name(key=value, ...)".

    >>> parse("ZDExtortion(phi=0.1)")
    ('ZDExtortion', {'phi': 0.1})
    """
    try:
        head, settings = named.parse(text, lists=True)
    except named.BadName as error:
        raise BadAgent(str(error)) from None
    return head, dict(settings)


def plainly(name: str) -> str:
    """A name without case, spaces and punctuation."""
    return re.sub(r"[\W_]", "", name).casefold()


def find(name: str, known: Mapping[str, Any], what: str) -> Any:
    """`known[name]`, however it is spelled. Raises `BadAgent` with the nearest names."""
    by_key = {plainly(each): found for each, found in known.items()}
    if (found := by_key.get(plainly(name))) is not None:
        return found
    near = ", ".join(nearest(name, known))
    raise BadAgent(f"there is no {what} {name!r}." + (f" Near: {near}." if near else ""))


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Names spelled like `name`."""
    by_key = {plainly(each): each for each in names}
    keys = difflib.get_close_matches(plainly(name), by_key, count, 0.6)
    return [by_key[key] for key in keys]
