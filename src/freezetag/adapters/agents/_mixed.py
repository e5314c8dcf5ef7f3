"""Agents of several kinds in one seat column: `scheme:name` by their own adapters, and players in
JAX as `player:name`, all in one process.

A column of a tournament seats everybody in turn. Where all are of one kind, that kind's own way
is used; this is for populations of many kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from freezetag.sim.adapter import Adapter, adapter

PLAYER = "player"


def slow(name: str) -> str:
    """What is said before the library of an agent is imported, if that takes long."""
    scheme = name.partition(":")[0]
    if scheme == PLAYER:
        return ""
    return adapter(scheme).notice(name.partition(":")[2])


def factory(name: str) -> Callable[[int], Any]:
    """`make(seed) -> agent`. Raises `BadAgent`."""
    scheme, _, inner = name.partition(":")
    if scheme == PLAYER:
        from freezetag.adapters.agents._jax_player import player

        return player(inner)
    return adapter(scheme).made(inner)


ADAPTER = Adapter(factory=factory, slow=slow)
