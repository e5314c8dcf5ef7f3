"""An alarm that may be read at every message: the stream is no longer what it was."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

JUMP = 0.01
SLOPES = (-1.0, 0.0, 1.0)


@dataclass
class ChangeAlarm:
    """Bets that the next label of a stream is stranger, or more ordinary, than those before.

    Each label is as strange as it is rare among those of its context so far, itself included. Its
    rank, with ties broken by ``draw`` in [0, 1), is uniform and independent of the ranks before as
    long as the labels of each context are exchangeable (in any order equally likely); a bettor on
    ranks then gains nothing in the mean, and ``P(ever wealth >= 1000) <= 1/1000``. The bettor
    spreads its wealth over the densities ``1 + e (p - 1/2)``, e = -1, 0, 1, and moves a share
    of .01 among them at each step. A constant stream has nothing but ties and never alarms but by
    luck. Source: Vovk et al. 2005 for the ranks; Vovk et al. 2021 for the bettor.
    Caveat: it says that the stream changed and not what the change means; labels that depend on
    each other (a conversation that moves on) are a change as well. Give what they depend on as
    context. Memory: a count for each label and context, so give labels of a bounded kind.
    """

    log_wealth: float = 0.0
    most: float = 0.0
    seen: int = 0
    _shares: list[float] = field(default_factory=lambda: [1 / 3] * 3)
    _counts: dict[Hashable, dict[Hashable, int]] = field(default_factory=dict)
    _sizes: dict[Hashable, dict[int, int]] = field(default_factory=dict)

    def hear(self, label: Hashable, draw: float, context: Hashable = None) -> float:
        """The log of the wealth after this label."""
        rank = self._rank(label, draw, context)
        gains = [
            share * (1 + e * (rank - 0.5)) for share, e in zip(self._shares, SLOPES, strict=True)
        ]
        total = sum(gains)
        self._shares = [(1 - JUMP) * gain / total + JUMP / 3 for gain in gains]
        self.log_wealth += math.log(total)
        self.most = max(self.most, self.log_wealth)
        self.seen += 1
        return self.log_wealth

    def _rank(self, label: Hashable, draw: float, context: Hashable) -> float:
        """(labels stranger + draw x labels as strange) / all, in this context, itself too."""
        counts = self._counts.setdefault(context, {})
        sizes = self._sizes.setdefault(context, {})  # how many labels occur so often
        before = counts.get(label, 0)
        if before:
            sizes[before] -= 1
            if not sizes[before]:
                del sizes[before]
        now = counts[label] = before + 1
        sizes[now] = sizes.get(now, 0) + 1
        rarer = sum(often * kinds for often, kinds in sizes.items() if often < now)
        alike = now * sizes[now]
        everything = rarer + sum(often * kinds for often, kinds in sizes.items() if often >= now)
        return (rarer + draw * alike) / everything
