"""One node among several of an authority: its node lease, and what the nodes tell one another.

**Claim.** Node A stores a press at real time P. No action is admitted after P + (L + R)/(1−ρ), by
whatever node, though nothing reaches any gate. *Sketch.* Node B decides a renewal only after it
read its clock and found that less than R passed since it *sent* its newest look that was answered.
The answer held all that was durable when the look was sent (`PostgresStore`), so a look sent after
P would have shown the press: that look was sent at s ≤ P. So B read its clock at most R/(1−ρ) after
P, and the renewal had arrived, hence was sent, before that. From there the gate's clock advances L
in at most L/(1−ρ).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, final

from freezetag.live.authority.authority import Authority
from freezetag.live.authority.store import Told

SILENT = 60.0
"""Seconds of silence after which a life that holds no lease is not told of any more."""


@final
class Nodes:
    """Used under the service's lock. `lease` is R in seconds, on `clock`."""

    def __init__(
        self, authority: Authority, name: str, lease: float, clock: Callable[[], float]
    ) -> None:
        self.name, self.lease = name, lease
        self.addresses: tuple[str, ...] = ()  # of the other nodes' gates
        self.synchronous = True  # whether a press is on a standby, too, before it counts as stored
        self.present = float("-inf")  # when another node last had a person there
        self._authority, self._clock = authority, clock
        self._until = float("-inf")
        self._hearsay: dict[tuple[str, str], float] = {}  # life -> `heard`, as others told it
        self._others: dict[str, tuple[float, float]] = {}  # name -> (its lease, when it last beat)
        authority.lives.margin = lease

    def renew(self, sent: float) -> None:
        """A look that was sent then is answered, and what it showed is applied."""
        self._until = max(self._until, sent + self.lease)

    @property
    def holds(self) -> bool:
        """Whether this node may grant; read after a renewal came, and before it is decided."""
        return self._clock() < self._until

    @property
    def longest(self) -> float:
        """The longest node lease of all that ever joined: what the bound gains."""
        return max([self.lease, *(lease for lease, _ in self._others.values())])

    def to_json(self) -> dict[str, Any]:
        """For people: who there is, and how long ago each other node beat, in seconds."""
        now, never = self._clock(), float("-inf")
        others = {
            name: round(now - at, 3) if at > never else None
            for name, (_, at) in sorted(self._others.items())
        }
        return {
            "node": self.name,
            "lease": self.lease,
            "holds": self.holds,
            "synchronous": self.synchronous,
            "others": others,
        }

    def tells(self, present: float | None) -> str:
        """What others have to know of the lives that were heard here; ages, and no clock's time."""
        now, lives = self._clock(), list[list[Any]]()
        for agent, life in self._authority.lives:
            mine = life.heard > self._hearsay.get((agent, life.b), float("-inf"))
            age, left = now - life.heard, life.until - now
            if mine and not life.ended and (left > 0 or age < SILENT):
                left = left if left > 0 else 0.0
                lives.append([agent, life.b, life.n, age, left, life.in_flight, life.last])
        here = None if present is None else now - present
        return json.dumps({"lives": lives, "present": here}, separators=(",", ":"))

    def hear(self, told: Iterable[Told]) -> None:
        """Takes in what other nodes told with their newest beats."""
        now, addresses = self._clock(), list[str]()
        for each in told:
            addresses += each.addresses
            before = self._others.get(each.node, (each.lease, float("-inf")))
            self._others[each.node] = each.lease, now if each.tells else before[1]
            if each.tells:
                tells = json.loads(each.tells)
                for life in tells["lives"]:
                    self._life(each.lease, now, *life)
                if tells["present"] is not None:
                    self.present = max(self.present, now - tells["present"])
        self.addresses = tuple(dict.fromkeys(addresses))
        self._authority.lives.margin = self.longest

    def _life(
        self,
        lease: float,
        now: float,
        agent: str,
        b: str,
        n: int,
        age: float,
        left: float,
        in_flight: int | None,
        last: int,
    ) -> None:
        lives = self._authority.lives
        if agent not in self._authority.facts.agents or lives.is_over(agent, b):
            return
        life = lives.get(agent, b)
        if now - age > life.heard:
            life.heard = self._hearsay[agent, b] = now - age
            life.in_flight, life.last, life.n = in_flight, max(life.last, last), max(life.n, n)
        if left > 0 and life.leased:  # it may be granted more for as long as that node's lease is
            life.until = max(life.until, now + left + lease)
