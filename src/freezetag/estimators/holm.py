"""Holm's correction: p-values of several headlines, read together."""

from __future__ import annotations

import numpy as np

from freezetag.core.arrays import Array


def holm(p_values: Array) -> Array:
    """Adjusted p-values: reject those <= alpha, and P(any false rejection) <= alpha.

    ``adjusted_(i) = max_{j<=i} min(1, (m-j+1) p_(j))`` over the m ordered p-values, whatever their
    dependence. A NaN p-value is a test that was not made: it stays NaN and does not count in m.
    ``p_values``: [m]. Source: Holm 1979. Raises ValueError outside 0..1.
    Caveat: a headline chosen after looking at the data is not covered.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = ~np.isnan(p)
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise ValueError(f"holm needs p-values in 0..1, got {p[made].min()} to {p[made].max()}.")
    order = np.argsort(p[made], kind="stable")
    m = len(order)
    steps = np.minimum(1.0, (m - np.arange(m)) * p[made][order])
    back = np.empty(m)
    back[order] = np.maximum.accumulate(steps)
    adjusted = np.full(p.shape, np.nan)
    adjusted[made] = back
    return adjusted
