"""What a console may say of an agent: one honest state per incarnation, and the worst of them.

Nothing is "stopped" by wish: it takes an acknowledgement, or the surely expired lease of a gate
that reported nothing in flight, plus the drain. Whoever is silent is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, final


class Shown(StrEnum):
    """The states, worst first; the banner is the worst of all."""

    UNKNOWN = "unknown_in_flight"
    STOPPING = "stopping"
    RUNNING = "running"
    EXPIRED = "stopped_by_expiry"
    ACKNOWLEDGED = "stopped_acknowledged"
    HELD = "held"


def worst(states: Iterable[Shown]) -> Shown:
    """The worst of the states; of none at all it is unknown."""
    order = list(Shown)
    return min(states, key=order.index, default=Shown.UNKNOWN)


@final
@dataclass
class Incarnation:
    """One life of a gate, as the authority sees it. Times are on the authority's clock."""

    b: str
    heard: float = float("-inf")
    n: int = 0
    until: float = float("-inf")  # its newest lease has surely ended then
    in_flight: int | None = None  # None: never told, for instance since a restart
    last: int = 0
    ack: dict[str, Any] | None = None
    spent: dict[str, float] = field(default_factory=dict)
    allowed: dict[str, float] = field(default_factory=dict)
    anchor: dict[str, Any] | None = None
    anchored: float = float("-inf")

    @property
    def leased(self) -> bool:
        return self.until > float("-inf")

    def alive(self, now: float) -> bool:
        """Whether it may still admit actions."""
        return self.ack is None and not now >= self.until

    def shown(self, now: float, *, stopped: bool, drain: float) -> Shown:
        """Its state; `stopped`: a press covers the agent, or it is held."""
        if self.ack is not None:
            if self.ack["unknown"]:
                return Shown.UNKNOWN
            return Shown.ACKNOWLEDGED
        if not self.leased:
            return Shown.HELD
        if self.alive(now):
            return Shown.STOPPING if stopped else Shown.RUNNING
        if self.in_flight != 0:
            return Shown.UNKNOWN
        # It may have admitted something just before the end, which is drained or killed by then.
        return Shown.EXPIRED if now >= self.until + drain else Shown.STOPPING


@final
@dataclass(frozen=True)
class Row:
    """One line of the console: an incarnation of an agent (`b` is "" for one never heard)."""

    agent: str
    b: str
    shown: Shown
    heard: float | None  # seconds ago
    in_flight: int | None
    last: int
    unknown: tuple[str, ...] = ()


def rows(
    agent: str,
    lives: Sequence[Incarnation],
    now: float,
    *,
    pressed: bool,
    started: bool,
    new: bool,
    drain: float,
) -> list[Row]:
    """One row for each life that still says something, at least one for the agent.

    `pressed`: a press stands; `started`: somebody let it run, and nothing holds it; `new`: nobody
    ever started it.
    """
    stopped = pressed or not started
    if pressed and any(life.leased for life in lives):
        lives = [life for life in lives if life.leased]  # one that came after only waits
    found = []
    for life in lives:
        shown = life.shown(now, stopped=stopped, drain=drain)
        over = shown in (Shown.ACKNOWLEDGED, Shown.HELD, Shown.EXPIRED)
        if life is not lives[-1] and over:
            continue
        if shown == Shown.ACKNOWLEDGED and not started and not pressed:
            shown = Shown.HELD
        unknown = tuple(life.ack["unknown"]) if life.ack else ()
        ago = now - life.heard if life.heard > float("-inf") else None
        # An acknowledgement comes after the drain, and names what may still take effect.
        flying = len(unknown) if life.ack else life.in_flight
        found.append(Row(agent, life.b, shown, ago, flying, life.last, unknown))
    if not found:
        silent = Shown.HELD if stopped and new else Shown.UNKNOWN
        found.append(Row(agent, "", silent, None, None, 0))
    return found
