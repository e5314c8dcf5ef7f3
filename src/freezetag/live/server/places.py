"""Who gives way when a listener is full: a stranger who keeps it waiting, never one it works for.

A place is taken when a connection is accepted, before a handshake or a head. It *waits* while the
next move is the peer's: no whole request yet, no proof of who it is, an answer that is not read.
The victim is of the source with the most places, so that a crowd at one address pays for itself;
of that source, whoever has waited longest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, final

LOCAL = "local"
"""The source of all that comes by a local socket."""
PREFIX = 64
"""Bits of an IPv6 address that one source is given whole."""


@final
@dataclass(eq=False)
class Place:
    """One connection's. `drop` ends the connection; `waits` says whether the peer is to move."""

    source: str
    since: float
    drop: Callable[[], None]
    waits: Callable[[], bool] = lambda: True
    known: bool = False  # who is at the other end has proved who it is


@final
class Places:
    """At most `most` of them. Not thread-safe: a listener's loop alone calls it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: set[Place] = set()

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def full(self) -> bool:
        return len(self._taken) >= self.most

    def room(self) -> bool:
        """Makes room for one more if there is none; False if nobody can be made to go."""
        return not self.full or self.evict()

    def evict(self) -> bool:
        """Drops one that waits; False if none does."""
        waiting = [place for place in self._taken if place.waits()]
        if not waiting:
            return False
        crowd = Counter(place.source for place in self._taken)
        victim = min(waiting, key=lambda place: (-crowd[place.source], place.since))
        self.leave(victim)
        victim.drop()
        return True

    def take(self, place: Place) -> None:
        self._taken.add(place)

    def leave(self, place: Place) -> None:
        """It is over. Twice is harmless."""
        self._taken.discard(place)


def source_of(peer: Any) -> str:
    """Where a connection comes from: an address, the network of an IPv6 one, or `LOCAL`."""
    if not isinstance(peer, tuple) or not peer:
        return LOCAL
    try:
        address = ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return str(peer[0])
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> (128 - PREFIX) << (128 - PREFIX)))
