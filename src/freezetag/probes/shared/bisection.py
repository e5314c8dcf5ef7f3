"""The highest setting at which something is done: a grid, then bisection, arm by arm.

Settings are tried by behaviour, so what is known is an answer (done or not) at each setting tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from freezetag.estimators.estimate import Estimate, bracketed


def bracket(answers: Mapping[float, bool], most: float = math.inf) -> tuple[float, float]:
    """(low, high): the highest setting at which it was done, and the next one tried above it.

    Minus infinity if it was never done; `most`, above which there is no setting, if it was done at
    the highest one tried.
    """
    low = max((at for at, done in answers.items() if done), default=-math.inf)
    return low, min((at for at in answers if at > low), default=most)


def wanted(answers: Mapping[float, bool], grid: Sequence[float], width: float) -> tuple[float, ...]:
    """The settings to try next: the whole grid, then the middle of the bracket, until the bracket
    is at most `width` wide or one of its ends is infinite."""
    if missing := tuple(at for at in grid if at not in answers):
        return missing
    low, high = bracket(answers)
    return () if not width < high - low < math.inf else ((low + high) / 2,)


def found(
    answers: Mapping[float, bool], n: int, note: str = "", most: float = math.inf
) -> Estimate:
    """The threshold, as the bracket it is known to lie in; `most` as for `bracket`."""
    return bracketed(*bracket(answers, most), n=n, note=note)
