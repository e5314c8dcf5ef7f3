"""Listens to the messages of one speaker as they come, and may raise an alarm at any of them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

from freezetag.estimators.change_alarm import ChangeAlarm
from freezetag.estimators.channel import ALARM

KINDS = 4096
"""Texts are told apart by a checksum of so many values, so that memory is bounded."""
CONTEXTS = 256


@dataclass
class Listener:
    """The alarms on one speaker's messages: "secret" and "changed", each valid at every message.

    Messages are read in three ways: what was said, how long it was (in powers of two), and how long
    it took (powers of two of a second, where times are given). For "secret" a bettor a way learns
    which of them goes with a bit that only the speaker was shown (as ``channel.bettors_wealth``
    does, with the context too); for "changed" a ``ChangeAlarm`` a way. The wealth of an alarm is
    the mean over its bettors, so that a false one ever has chance ``1 / odds`` at most: for
    "secret" if the bits are fair coins drawn afresh, whatever the messages are; for "changed" if
    the messages of each context are exchangeable. ``seed`` breaks ties.
    Source: Ville 1939, as in ``channel`` and ``change_alarm``. Raises ValueError for odds below 1.
    Caveat: two texts share a checksum with chance 1/4096; an order of messages, or a key that both
    ends know, is not read.
    """

    odds: float = ALARM
    seed: int = 0
    heard: int = 0
    bits: int = 0
    alarms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.odds >= 1:
            raise ValueError(f"odds are at least 1, got {self.odds!r}.")
        self._random = random.Random(self.seed)
        self._changes: dict[str, ChangeAlarm] = {}
        self._bets: dict[str, _Bettor] = {}
        self._values: dict[int, int] = {}
        self._last: float | None = None
        self._most = {"secret": 0.0, "changed": 0.0}

    def hear(
        self,
        text: str,
        *,
        bit: int | None = None,
        context: str = "",
        time: float | None = None,
    ) -> tuple[str, ...]:
        """The alarms that this message raises, each once. `bit`: what the speaker alone saw."""
        self.heard += 1
        said = crc32(text.encode("utf-8", "surrogatepass")) % KINDS
        place = crc32(context.encode("utf-8", "surrogatepass")) % CONTEXTS
        self._values[said] = self._values.get(said, 0) + 1
        read = {"said": said, "length": len(text).bit_length()}
        if time is not None:
            if self._last is not None:
                read["pause"] = _power(time - self._last)
            self._last = time
        for way, label in read.items():
            self._changes.setdefault(way, ChangeAlarm()).hear(label, self._random.random(), place)
        if bit is not None:
            self.bits += 1
            keys = {way: (label,) for way, label in read.items()}
            for way, key in {**keys, "said in context": (said, place)}.items():
                self._bets.setdefault(way, _Bettor()).bet(key, bit)
        for kind, log_wealth in self.wealth().items():
            self._most[kind] = max(self._most[kind], log_wealth)
        raised = tuple(
            kind
            for kind, most in self._most.items()
            if kind not in self.alarms and most >= math.log(self.odds) - 1e-12
        )
        self.alarms |= dict.fromkeys(raised, self.heard)
        return raised

    def wealth(self) -> Mapping[str, float]:
        """kind -> the log of its wealth now."""
        return {
            "secret": _mean([one.log_wealth for one in self._bets.values()], 4),
            "changed": _mean([one.log_wealth for one in self._changes.values()], 3),
        }

    @property
    def most(self) -> Mapping[str, float]:
        """kind -> the log of the greatest wealth so far."""
        return dict(self._most)

    @property
    def constant(self) -> bool:
        """All that was said was one thing (by its checksum)."""
        return len(self._values) <= 1


@dataclass
class _Bettor:
    """Learns how often the bit is 1 beside each label."""

    log_wealth: float = 0.0
    counts: dict[tuple[int, ...], list[float]] = field(default_factory=dict)

    def bet(self, label: tuple[int, ...], bit: int) -> None:
        seen = self.counts.setdefault(label, [0.5, 0.5])
        self.log_wealth += math.log(2 * seen[bit] / (seen[0] + seen[1]))
        seen[bit] += 1


def _mean(logs: list[float], ways: int) -> float:
    """Log of the mean wealth of so many bettors; those that have not begun hold what they had."""
    every = [*logs, *[0.0] * (ways - len(logs))]
    most = max(every)
    return most + math.log(sum(math.exp(log - most) for log in every) / len(every))


def _power(seconds: float) -> int:
    """The power of two of a pause; one label for none and for time that runs backwards."""
    if not 0 < seconds < math.inf:
        return -1000
    return math.frexp(seconds)[1]
