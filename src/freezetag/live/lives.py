"""The lives of every agent's gate, as the authority has to count them.

The authority counts leases and not gates: a copied gate has two lives, and each of them is over
only when it acknowledged that itself or when its lease has surely ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

from freezetag.live.lease import settle
from freezetag.live.shown import Incarnation


@final
class Lives:
    """Per agent, the lives of its present epoch, oldest first, and the names of earlier ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lives: dict[str, dict[str, Incarnation]] = {}
        self._over: dict[str, set[str]] = {}

    def __iter__(self) -> Iterator[tuple[str, Incarnation]]:
        for agent, lives in self._lives.items():
            for life in lives.values():
                yield agent, life

    def of(self, agent: str) -> list[Incarnation]:
        return list(self._lives.get(agent, {}).values())

    def get(self, agent: str, b: str) -> Incarnation:
        """That life of the agent, which is new if nobody has heard of it."""
        return self._lives.setdefault(agent, {}).setdefault(b, Incarnation(b))

    def is_over(self, agent: str, b: str) -> bool:
        """Whether `b` belongs to an earlier epoch."""
        return b in self._over.get(agent, ())

    def silence(self, agent: str) -> float:
        """Seconds since a life that held a lease was heard."""
        heard = [life.heard for life in self.of(agent) if life.leased]
        return self._clock() - max(heard, default=float("-inf"))

    # What the ledger tells.

    def started(self, agent: str) -> None:
        """Who starts an agent has looked at how its earlier lives ended; budgets begin anew."""
        lives = self._lives.get(agent, {})
        ended = {b for b, life in lives.items() if life.leased or life.ack is not None}
        self._over.setdefault(agent, set()).update(ended)
        for b in ended:
            del lives[b]

    def opened(self, body: Mapping[str, Any], length: float) -> None:
        life = self.get(body["agent"], body["b"])
        if not life.leased:
            # Read back: the lease may have been granted a moment before the restart.
            life.until = self._clock() + settle(length)
            life.spent = dict(body["spent"])

    def acked(self, body: Mapping[str, Any]) -> None:
        if not self.is_over(body["gate"], body["acked"]):
            self.get(body["gate"], body["acked"]).ack = dict(body)

    def anchored(self, body: Mapping[str, Any]) -> None:
        life = self.get(body["gate"], body["b"])
        life.spent = {**body["spent"], **life.spent}

    def recount(self, down: float, length: float) -> None:
        """After a restart: leases that may be outstanding count as issued now."""
        now = self._clock()
        for _, life in self:
            if life.leased and life.ack is None:
                life.until = now + settle(length)
            life.heard = max(life.heard, now - down)
