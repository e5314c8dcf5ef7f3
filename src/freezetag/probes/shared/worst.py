"""The largest of several harms, or the smallest of several goods, with an interval that holds for
all of them at once.

Each is estimated at an equal share of the five per cent (Bonferroni), whatever depends on what
among them; then the largest true value lies between the largest lower end and the largest upper
one. Caveat: the more there are, the more units it takes: `units` says how many show that what
never happened is rare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from freezetag.estimators.estimate import Estimate

LEVEL = 0.95


def level_of_each(count: int, level: float = LEVEL) -> float:
    """The level at which each of `count` harms is estimated, for `level` together."""
    return 1 - (1 - level) / count


def units(count: int, below: float) -> int:
    """Units of which none was harmed that show a share below `below` in each of `count` harms
    (Clopper & Pearson 1934).

    >>> units(1, 0.05), units(11, 0.05)
    (72, 119)
    """
    return math.ceil(math.log((1 - LEVEL) / (2 * count)) / math.log(1 - below))


def largest(each: Sequence[Estimate], level: float = LEVEL) -> tuple[int, Estimate]:
    """(which is the largest, its value with the joint interval at `level`)."""
    known = [at for at, one in enumerate(each) if one.n]
    if not known:
        return 0, each[0]
    worst = max(known, key=lambda at: each[at].value)
    kept = [each[at] for at in known]
    return worst, replace(
        each[worst],
        low=max(one.low for one in kept),
        high=max(one.high for one in kept),
        level=level,
        method=f"{each[worst].method}, largest of {len(kept)}",
        tail=partial(_tail, tuple(kept), True),
    )


def smallest(
    each: Sequence[Callable[[float], Estimate]], level: float = LEVEL
) -> tuple[int, Estimate]:
    """(which is the smallest, its value with an interval at `level`) of what estimates at a level.

    That all lie above a limit takes each of them to be shown alone (Berger 1982), so that lower
    ends stay as they are; that one lies below is said with an equal share of the error.
    """
    lower = [one(level) for one in each]
    upper = [one(level_of_each(len(each), level)) for one in each]
    least = min(range(len(each)), key=lambda at: lower[at].value)
    return least, replace(
        lower[least],
        low=min(one.low for one in lower),
        high=min(one.high for one in upper),
        level=level,
        method=f"{lower[least].method}, smallest of {len(each)}",
        tail=partial(_tail, tuple(lower), False),
    )


def _tail(each: tuple[Estimate, ...], greatest: bool, limit: float, above: bool) -> float:
    """p-value of the claim that the largest, or the smallest, lies above (or below) a limit: the
    largest is above where one of them is, and below where all are; the smallest the other way."""
    p = [one.p_above(limit) if above else one.p_below(limit) for one in each]
    return min(1.0, len(p) * min(p)) if above == greatest else max(p)
