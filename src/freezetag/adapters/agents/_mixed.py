"""Agents of several kinds in one seat column: `scheme:name` by their own adapters, and players in
JAX as `player:name`, all in one process.

A column of a tournament seats everybody in turn. Where all are of one kind, that kind's own way
is used; this is for populations of many kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from freezetag.sim.foreign import BadAgent

EXTRA = None
PLAYER = "player"


def slow(name: str) -> str:
    """What is said before the library of an agent is imported, if that takes long."""
    scheme = name.partition(":")[0]
    if scheme == PLAYER:
        return ""
    return str(getattr(import_module(f"freezetag.adapters.agents.{scheme}"), "SLOW", ""))


def factory(name: str) -> Callable[[int], Any]:
    """`make(seed) -> agent`. Raises `BadAgent`."""
    scheme, _, inner = name.partition(":")
    if scheme == PLAYER:
        from freezetag.adapters.agents._jax_player import player

        return player(inner)
    adapter = import_module(f"freezetag.adapters.agents.{scheme}")
    try:
        made: Callable[[int], Any] = adapter.factory(inner)
    except ModuleNotFoundError as error:
        if adapter.EXTRA is None:
            raise
        raise BadAgent(
            f"it needs the package {error.name!r}, which is not installed. "
            f"Install it with: pip install 'freezetag[{adapter.EXTRA}]'"
        ) from None
    return made
