"""The smallest effect that a sample could have shown: what "no difference" is worth."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from freezetag.core.arrays import Array
from freezetag.estimators.estimate import usable
from freezetag.estimators.intervals import t_quantile


def smallest_detectable_effect(x: Array, *, level: float = 0.95, power: float = 0.8) -> float:
    """The true mean that the two-sided test at ``level`` finds with chance ``power``.

    ``(t_(1-alpha/2) + t_power) s / sqrt(n)``, df = n-1. ``x``: [n], one value a seed (paired
    differences for a contrast); NaN dropped. Infinite below 2 units, 0 if all units are equal.
    Source: Bloom 1995 (minimum detectable effects). Caveat: normal theory; s is itself estimated.
    """
    x, _ = usable(x)
    n = len(x)
    if n < 2 or not np.isfinite(x).all():
        return math.inf
    factor = t_quantile((1 + level) / 2, n - 1) + t_quantile(power, n - 1)
    return factor * float(x.std(ddof=1)) / math.sqrt(n)


def smallest_detectable_rate(n: int, *, power: float = 0.95) -> float:
    """The rate that shows itself at least once in n trials with chance ``power``: about 3/n."""
    return 1.0 if n <= 0 else -math.expm1(math.log1p(-power) / n)


def units_needed(s: float, effect: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """How many seeds find a mean of ``effect`` at standard deviation ``s``: normal theory."""
    if not (s >= 0 and effect > 0):
        raise ValueError(f"units_needed wants s >= 0 and effect > 0, got {s!r} and {effect!r}.")
    z = float(special.ndtri((1 + level) / 2) + special.ndtri(power))
    return max(2, math.ceil((z * s / effect) ** 2 + 1))
