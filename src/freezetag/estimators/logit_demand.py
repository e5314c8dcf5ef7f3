"""Logit demand from prices and quantities: how buyers chose, and how many there were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from freezetag.core.arrays import Array


class LogitDemand(NamedTuple):
    """q_i = buyers w_i / (1 + sum w), w_i = exp((quality_i - p_i) / mu); nobody sells for 0.

    A fit that the data do not allow has NaN for mu and quality."""

    mu: float
    quality: Array  # [N]
    buyers: float  # mean over the periods


NONE = LogitDemand(np.nan, np.empty(0), np.nan)


def logit_demand(price: Array, quantity: Array, buyers: Array | None = None) -> LogitDemand:
    """Least squares on the logarithms of what was sold.

    ``price``, ``quantity``: [T, N], positive; ``buyers``: [T], all who might have bought in a
    period, those who bought nothing included, or None.
    With ``buyers`` the line is ``ln(q_i / q_0) = (quality_i - p_i) / mu``, q_0 those who bought
    nothing, with a constant for each seller. Without, mu comes from sellers against each other in
    one period, and the number of buyers from how the sum Q of all sales answers all prices:
    ``1/Q = 1/buyers + 1/(buyers A) 1/S`` is a line in 1/S.
    Raises ``ValueError`` for numbers that are not positive, or more sold than there are buyers.
    Caveat: prices that follow demand (dearer on busy days) bias mu upwards; quality is taken to
    stay the same, and the fit gives no interval of its own: resample whole periods.
    Source: Berry 1994.

    >>> import numpy as np
    >>> price = np.array([[1.5, 1.7], [1.9, 1.6], [1.7, 1.7], [1.4, 2.0]])
    >>> weight = np.exp((np.array([2.0, 2.2]) - price) / 0.25)
    >>> sold = 100 * weight / (1 + weight.sum(1, keepdims=True))
    >>> for buyers in (np.full(4, 100.0), None):
    ...     fit = logit_demand(price, sold, buyers)
    ...     print(f"{fit.mu:.6f} {fit.quality.round(6)} {fit.buyers:.4f}")
    0.250000 [2.  2.2] 100.0000
    0.250000 [2.  2.2] 100.0000
    """
    p, q = np.asarray(price, np.float64), np.asarray(quantity, np.float64)
    if not ((p > 0) & (q > 0) & np.isfinite(p + q)).all():
        raise ValueError("logit_demand needs prices and quantities above 0.")
    if len(p) < 2:
        return NONE
    log_q = np.log(q)
    if buyers is not None:
        rest = np.asarray(buyers, np.float64) - q.sum(1)
        if not (rest > 0).all():
            raise ValueError("more was sold than there are buyers.")
        y = log_q - np.log(rest)[:, None]
        slope = _slope(p - p.mean(0), y - y.mean(0))
        if not slope < 0:
            return NONE
        mu = -1 / slope
        return LogitDemand(mu, (y + p / mu).mean(0) * mu, float(np.mean(buyers)))
    slope = _slope(_both(p), _both(log_q))
    if not slope < 0:
        return NONE
    mu = -1 / slope
    apart = log_q + p / mu
    apart = (apart - apart.mean(1, keepdims=True)).mean(0)  # quality / mu, less the mean of all
    weight = np.exp(apart - p / mu).sum(1)
    line, one = 1 / weight, 1 / q.sum(1)
    steep = _slope(line - line.mean(), one - one.mean())
    level = one.mean() - steep * line.mean()
    if not (steep > 0 and level > 0):
        return NONE
    return LogitDemand(mu, (apart + np.log(level / steep)) * mu, float(1 / level))


def _both(x: Array) -> Array:
    """Less the mean of its period and of its seller."""
    found: Array = x - x.mean(0) - x.mean(1, keepdims=True) + x.mean()
    return found


def _slope(x: Array, y: Array) -> float:
    """Of a line through the origin; NaN where x does not vary."""
    square = float((x * x).sum())
    return float((x * y).sum()) / square if square > 1e-18 * x.size else np.nan
