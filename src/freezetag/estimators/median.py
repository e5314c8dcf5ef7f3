"""The median of independent units, with the interval of the sign test: no range, no resampling."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from scipy import special

from freezetag.core.arrays import Array
from freezetag.estimators.estimate import Estimate, join_notes, nothing, usable


def median(x: Array, *, level: float = 0.95) -> Estimate:
    """The median of the law that n independent units come from, between two of their own values.

    ``x``: [n], one value a seed; infinite ones count, NaN is dropped. The interval is
    ``[x_(k), x_(n+1-k)]`` of the ordered values with the largest k for which
    ``P(Binomial(n, 1/2) < k) <= alpha / 2``, so that it covers with at least ``level`` whatever the
    law, ties and all. Under 6 units no k does so at .95: least and greatest stand, and ``level`` of
    the result is what they hold, ``1 - 2^(1 - n)``. p-values are of the sign test.
    Source: Thompson 1936. Caveat: of the middle unit, not of the mean: what befalls fewer than half
    of the units does not move it.
    """
    x, note = usable(x)
    n = len(x)
    if n == 0:
        return nothing(note or "no usable unit", level)
    ordered = np.sort(x)
    pair = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    # Between a number and infinity nothing is the middle: the lower stands.
    value = sum(pair) / 2 if math.isfinite(sum(pair)) else pair[0]
    ranks = np.arange(1, n // 2 + 1)
    kept = ranks[special.bdtr(ranks - 1, n, 0.5) <= (1 - level) / 2]
    k = int(kept.max(initial=1))
    if not len(kept):
        level = 1 - 2.0 ** (1 - n)
        note = join_notes(note, f"of {n} units the least and the greatest hold it at {level:.3g}")
    low, high = float(ordered[k - 1]), float(ordered[n - k])
    tail = partial(_sign_test, x)
    return Estimate(value, low, high, n, "median, sign test", level, note, tail)


def _sign_test(x: Array, limit: float, above: bool) -> float:
    beyond = int((x > limit).sum() if above else (x < limit).sum())
    return float(special.bdtrc(beyond - 1, len(x), 0.5)) if beyond else 1.0
