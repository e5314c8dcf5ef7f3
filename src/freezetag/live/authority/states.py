"""What a console may say of an agent: one honest state per incarnation, and the worst of them.

Nothing is "stopped" by wish: it takes an acknowledgement, or the surely expired lease of a gate
that reported nothing in flight, plus the drain. Whoever is silent is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, final

_NAN = float("nan")


class Shown(StrEnum):
    """The states, worst first; the banner is the worst of all."""

    UNKNOWN = "unknown_in_flight"
    STOPPING = "stopping"
    RUNNING = "running"
    EXPIRED = "stopped_by_expiry"
    ACKNOWLEDGED = "stopped_acknowledged"
    HELD = "held"


def most(one: float, other: float) -> float:
    """The larger of the two; not a number if either is none."""
    return one if one != one or one >= other else other


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Those that a record can hold."""
    return {name: value for name, value in values.items() if abs(value) < float("inf")}


def age(seconds: float) -> str:
    """A length of time in the largest unit that leaves a number above 1."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


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
    acked: float = float("-inf")  # when `ack` was heard
    asked: int = 0  # the number of its last renewal, as it told with `ack`
    length: float = 0.0  # of its leases, as the ledger has it: 0 until that is durable
    spent: dict[str, float] = field(default_factory=dict)
    allowed: dict[str, float] = field(default_factory=dict)
    booked: dict[str, float] = field(default_factory=dict)  # `allowed`, as the ledger has it
    anchor: dict[str, Any] | None = None
    anchored: float = float("-inf")
    codes: dict[int, str] = field(default_factory=dict)  # of the newest renewals, by number

    @property
    def leased(self) -> bool:
        return self.until > float("-inf")

    def alive(self, now: float) -> bool:
        """Whether it may still admit actions."""
        return self.leased and not self.ended and not now >= self.until

    @property
    def ended(self) -> bool:
        """Whether it said itself that it has stopped; what a later life says of it is no proof."""
        return self.ack is not None and bool(self.ack.get("own"))

    def acknowledges(self, ack: Mapping[str, Any], now: float) -> None:
        """Takes in how it ended; only its own word ends its lease at once."""
        self.acked = now if self.ack is None else self.acked
        self.ack = dict(ack)

    def tells(self, spent: Mapping[str, float]) -> None:
        """What it has spent so far: that never falls, and what it no longer tells is unknown."""
        told = {**self.spent, **spent}
        self.spent = {name: most(self.spent.get(name, 0.0), spent.get(name, _NAN)) for name in told}

    def shown(self, now: float, *, stopped: bool, drain: float) -> Shown:
        """Its state; `stopped`: a press covers the agent, or it is held."""
        if self.ack is not None and self.ack["unknown"]:
            return Shown.UNKNOWN
        if self.alive(now):
            return Shown.STOPPING if stopped or self.ack is not None else Shown.RUNNING
        if self.ack is not None:
            return Shown.ACKNOWLEDGED
        if not self.leased:
            return Shown.HELD
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
    ever started it. The newest row was heard when a later life that has no row was.
    """
    stopped, waiting = pressed or not started, float("-inf")
    if pressed and any(life.leased for life in lives):
        lives, known = [life for life in lives if life.leased], lives
        # One that came after only waits; but it is its gate that is heard.
        waiting = max(life.heard for life in known[known.index(lives[-1]) :])
    found = []
    for life in lives:
        shown = life.shown(now, stopped=stopped, drain=drain)
        over = shown in (Shown.ACKNOWLEDGED, Shown.HELD, Shown.EXPIRED)
        if life is not lives[-1] and over:
            continue
        if shown == Shown.ACKNOWLEDGED and not started and not pressed:
            shown = Shown.HELD
        unknown = tuple(life.ack["unknown"]) if life.ack else ()
        heard = max(life.heard, waiting) if life is lives[-1] else life.heard
        ago = now - heard if heard > float("-inf") else None
        # An acknowledgement comes after the drain, and names what may still take effect.
        flying = len(unknown) if life.ack else life.in_flight
        last = max(life.last, life.ack["last"]) if life.ack else life.last
        found.append(Row(agent, life.b, shown, ago, flying, last, unknown))
    if not found:
        silent = Shown.HELD if stopped and new else Shown.UNKNOWN
        found.append(Row(agent, "", silent, None, None, 0))
    return found
