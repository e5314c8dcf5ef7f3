"""Hedged betting: an interval for a mean in a stated range that may be read at every step."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.estimate import Estimate, join_notes, nothing, usable

GRID = 1000
TRUNCATION = 0.5  # c: no bet risks more than this share of the wealth


def confidence_sequence(
    x: Array, low: float, high: float, *, level: float = 0.95
) -> tuple[Array, Array]:
    """Ends [n] of an interval for the mean after 1, 2, .. n units, valid at all of them at once.

    On units scaled to [0,1], for every candidate mean m two gamblers bet:
    ``K+-_t(m) = prod (1 +- lambda_i(m) (x_i - m))``, ``lambda_i`` the predictable plug-in
    ``sqrt(2 ln(2/alpha) / (s^2_(i-1) i ln(1+i)))`` cut at c/m and c/(1-m). The set is
    ``{m : max(K+, K-)/2 < 1/alpha}``, intersected over time; by Ville's inequality it ever loses
    the mean with probability at most alpha. So sampling may stop whenever one likes.
    Units may be dependent, if each has the same mean given the past. NaN units are dropped.
    Source: Waudby-Smith & Ramdas 2023, Theorem 3. Raises ValueError outside the range.
    Caveat: read on a grid of 1000, widened by one cell; an empty intersection (units whose mean
    moves) is given as NaN ends.
    """
    x, _ = usable(x)
    if len(x) == 0:
        return np.empty(0), np.empty(0)
    alpha = 1.0 - level
    grid = np.linspace(0.0, 1.0, GRID + 1)
    lives = _log_wealth(_scaled(x, low, high), grid, alpha) < math.log(1.0 / alpha)  # [n, G]
    lives = np.logical_and.accumulate(lives, axis=0)
    some = lives.any(axis=1)
    first, last = lives.argmax(axis=1), GRID - lives[:, ::-1].argmax(axis=1)
    lower = grid[np.maximum(first - 1, 0)]
    upper = grid[np.minimum(last + 1, GRID)]
    span = high - low
    return np.where(some, low + span * lower, np.nan), np.where(some, low + span * upper, np.nan)


def sequential_mean(x: Array, low: float, high: float, *, level: float = 0.95) -> Estimate:
    """The mean with the last interval of ``confidence_sequence``; p-values hold at any stop.

    The p-value of "mean > limit" is the inverse of the greatest wealth so far of the gambler who
    bets against every mean up to the limit: ``1 / max_t K+_t(limit)`` (an e-process).
    """
    x, note = usable(x)
    if len(x) == 0:
        return nothing(note or "no usable unit", level)
    lower, upper = confidence_sequence(x, low, high, level=level)
    ends = (float(lower[-1]), float(upper[-1]))
    value, unit = float(x.mean()), _scaled(x, low, high)
    if math.isnan(ends[0]):
        words = join_notes(note, "the mean moved while sampling: no one mean fits")
        return Estimate(value, low, high, len(x), "none", level, words, _shows_nothing)
    tail = partial(_wealth_tail, unit, low, high, 1.0 - level)
    return Estimate(value, *ends, len(x), "hedged betting", level, note, tail)


def _shows_nothing(limit: float, above: bool) -> float:
    return 1.0


def _scaled(x: Array, low: float, high: float) -> Array:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"A confidence sequence needs a finite range, not [{low!r}, {high!r}].")
    unit = (x - low) / (high - low)
    if unit.min() < -1e-9 or unit.max() > 1 + 1e-9:
        raise ValueError(
            f"A unit is outside the stated range [{low:g}, {high:g}]: the units span "
            f"[{x.min():g}, {x.max():g}]."
        )
    return np.clip(unit, 0.0, 1.0)


def _bets(x: Array, alpha: float) -> Array:
    """The plug-in bets [n], each from earlier units alone."""
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    bets: Array = np.sqrt(2 * math.log(2 / alpha) / (before * t * np.log1p(t)))
    return bets


def _one_sided(x: Array, m: Array, alpha: float) -> tuple[Array, Array]:
    """Log wealth [n, G] of the gambler for "above m" and of the one for "below m"."""
    bet, gap = _bets(x, alpha)[:, None], x[:, None] - m
    with np.errstate(divide="ignore"):
        up = np.minimum(bet, TRUNCATION / m)
        down = np.minimum(bet, TRUNCATION / (1 - m))
    return np.cumsum(np.log1p(up * gap), axis=0), np.cumsum(np.log1p(-down * gap), axis=0)


def _log_wealth(x: Array, m: Array, alpha: float) -> Array:
    up, down = _one_sided(x, m, alpha)
    return np.maximum(up, down) - math.log(2.0)


def _wealth_tail(
    x: Array, low: float, high: float, alpha: float, limit: float, above: bool
) -> float:
    m = (limit - low) / (high - low)
    if m < 0 or m > 1:  # outside the range nothing needs to be shown
        return 0.0 if (m < 0) == above else 1.0
    up, down = _one_sided(x, np.array([m]), alpha)
    return math.exp(-max(0.0, float((up if above else down).max())))
