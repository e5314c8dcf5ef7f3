"""The lives of every agent's gate, as the authority has to count them.

The authority counts leases and not gates: a copied gate has two lives, and each of them is over
only when it acknowledged that itself or when its lease has surely ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

from freezetag.live.authority.states import Incarnation, most
from freezetag.live.signed.frames import settle

UNTOLD = 60.0
"""Seconds: the length of a lease that an older record does not tell."""
OUTLIVED = "was open after it had acknowledged"
DOUBLED = "two processes spoke for it"
WAITING = 16
"""Incarnations of an agent that only wait, beyond which the oldest are forgotten."""
PER_HOUR = 240
"""New incarnations of an agent that are taken up in an hour: each is in the ledger for good."""
_NAN = float("nan")


@final
class Lives:
    """Per agent, the lives of its present epoch, oldest first, and the names of earlier ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.margin = 0.0  # seconds for which another node may grant more than we know of
        self._lives: dict[str, dict[str, Incarnation]] = {}
        self._over: dict[str, set[str]] = {}
        self._begun: dict[str, deque[float]] = {}  # when the newest were taken up

    def __iter__(self) -> Iterator[tuple[str, Incarnation]]:
        for agent, lives in self._lives.items():
            for life in lives.values():
                yield agent, life

    def of(self, agent: str) -> list[Incarnation]:
        return list(self._lives.get(agent, {}).values())

    def get(self, agent: str, b: str) -> Incarnation:
        """That life of the agent, which is new if nobody has heard of it."""
        lives = self._lives.setdefault(agent, {})
        if b not in lives:
            waiting = [each.b for each in lives.values() if not each.leased and each.ack is None]
            for old in waiting[: len(waiting) - WAITING + 1]:
                del lives[old]
        return lives.setdefault(b, Incarnation(b))

    def ack_of(self, agent: str, b: str) -> dict[str, Any] | None:
        """How that life ended, as far as it was heard, be it in the ledger yet or not."""
        life = self._lives.get(agent, {}).get(b)
        return None if life is None else life.ack

    def counted(self, agent: str, b: str) -> bool:
        """Whether that incarnation was taken up: it held a lease, or was acknowledged."""
        life = self._lives.get(agent, {}).get(b)
        taken = life is not None and (life.leased or life.ack is not None)
        return taken or self.is_over(agent, b)

    def crowded(self, agent: str) -> bool:
        """Whether as many incarnations were taken up in the last hour as are in one."""
        begun = self._begun.setdefault(agent, deque(maxlen=PER_HOUR))
        return len(begun) == PER_HOUR and self._clock() - begun[0] < 3600

    def begun(self, agent: str) -> None:
        """One more was taken up."""
        self._begun.setdefault(agent, deque(maxlen=PER_HOUR)).append(self._clock())

    def doubled(self, life: Incarnation, n: int, code: str) -> dict[str, Any] | None:
        """The acknowledgement that two frames of one number prove wrong, with the doubt; None if
        this one was not heard with another code. A gate seals each number once.

        Caveat: of a copy that has not spoken yet, or not at the same number, nothing is known.
        """
        if life.codes.setdefault(n, code) == code:
            while len(life.codes) > 8:
                del life.codes[next(iter(life.codes))]
            return None
        ack = life.ack or {"category": 0, "cause": "copied", "policy": [], "presses": []}
        if DOUBLED in ack.get("unknown", ()):
            return None
        told = {"acked": life.b, "last": life.last, "own": False}
        life.ack = {**ack, **told, "unknown": [*ack.get("unknown", ()), DOUBLED]}
        return life.ack

    def is_over(self, agent: str, b: str) -> bool:
        """Whether `b` belongs to an earlier epoch."""
        return b in self._over.get(agent, ())

    def outlived(
        self, life: Incarnation, message: Mapping[str, Any], length: float
    ) -> dict[str, Any] | None:
        """The acknowledgement that a renewal proves wrong, with the doubt; None if it does not.

        What it said may have overtaken renewals on the way: that is no sign of a copy. It tells the
        number of its last; of an older gate, whose own word it was, those that come soon after are.

        Caveat: nor are as many renewals of a copy that was made before the others were asked for.
        """
        ack, now = life.ack, self._clock()
        if ack is None or message["phase"] != "open":
            return None
        overtaken = life.ended and now - life.acked < length / 3
        if message["last"] <= ack["last"] and (overtaken or message["n"] <= life.asked):
            return None
        life.until = max(life.until, now + settle(self.longest(length)))
        if OUTLIVED in ack["unknown"]:
            return None
        life.ack = {**ack, "own": False, "unknown": [*ack["unknown"], OUTLIVED]}
        return life.ack

    def longest(self, length: float) -> float:
        """Seconds: the longest lease that may be outstanding, where new ones have `length`."""
        now = self._clock()
        return max([length, *(life.length for _, life in self if life.alive(now))])

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

    def opened(self, body: Mapping[str, Any]) -> None:
        life = self.get(body["agent"], body["b"])
        life.length = max(life.length, float(body.get("length", UNTOLD)))
        if not life.leased:
            # Read back: the lease may have been granted a moment before the restart.
            life.until = self._clock() + settle(life.length + self.margin)
        untold = dict.fromkeys(body["spent"], _NAN)
        self._spent(life, body["spent"], body.get("allowed", untold))

    def acked(self, body: Mapping[str, Any]) -> None:
        if not self.is_over(body["gate"], body["acked"]):
            self.get(body["gate"], body["acked"]).acknowledges(body, self._clock())

    def anchored(self, body: Mapping[str, Any]) -> None:
        if not self.is_over(body["gate"], body["b"]):
            life = self.get(body["gate"], body["b"])
            self._spent(life, body["spent"], body.get("allowed", {}))

    def _spent(
        self, life: Incarnation, spent: Mapping[str, float], allowed: Mapping[str, float]
    ) -> None:
        for known, told in ((life.spent, spent), (life.allowed, allowed), (life.booked, allowed)):
            for name, value in told.items():
                known[name] = most(known.get(name, 0.0), value)

    def recount(self, down: float) -> None:
        """After a restart: leases that may be outstanding count as issued now."""
        now = self._clock()
        for _, life in self:
            if life.leased and not life.ended:
                life.until = now + settle(life.length + self.margin)
            life.heard = max(life.heard, now - down)


def joined(known: Mapping[str, Any] | None, told: dict[str, Any]) -> dict[str, Any]:
    """Two acknowledgements of one life: what was unknown stays so, its own word stays its own."""
    if known is None:
        return told
    left = [each for each in known["unknown"] if each not in told["unknown"]]
    unknown = [*left, *told["unknown"]]
    own = (told["own"] or bool(known.get("own"))) and not {OUTLIVED, DOUBLED} & {*unknown}
    older = known["presses"] and not told["presses"]
    return {**(known if older else told), "own": own, "unknown": unknown}
