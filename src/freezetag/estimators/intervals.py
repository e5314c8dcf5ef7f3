"""Intervals for proportions and means over independent units: exact, range-based, Student's t."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import special

from freezetag.core.arrays import Array
from freezetag.estimators.estimate import (
    Estimate,
    Tail,
    join_notes,
    nothing,
    unanimous,
    usable,
)


def clopper_pearson(k: float, n: int, *, level: float = 0.95, note: str = "") -> Estimate:
    """The share of events, k of n independent trials, with the exact binomial interval.

    ``low = B(alpha/2; k, n-k+1)``, ``high = B(1-alpha/2; k+1, n-k)``, B the beta quantile. With
    no events the note says the rule of three (one-sided, 95 %): at most 3/n.
    Source: Clopper & Pearson 1934. Caveat: never covers less than ``level``, usually more; trials
    that share a seed are not independent.
    """
    if math.isnan(k) or n <= 0:
        return nothing(join_notes(note, "no trial"), level)
    if not 0 <= k <= n or k != int(k):
        raise ValueError(
            f"clopper_pearson counts events: k={k!r} must be a whole number in 0..{n}."
        )
    alpha = 1.0 - level
    low = 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, alpha / 2))
    high = 1.0 if k == n else float(special.betaincinv(k + 1, n - k, 1 - alpha / 2))
    if k in (0, n):
        note = join_notes(note, rule_of_three(n, event="event" if k == 0 else "non-event"))
    tail = partial(_binomial_tail, int(k), n)
    return Estimate(k / n, low, high, n, "Clopper-Pearson", level, note, tail)


def proportion(happened: Array, *, level: float = 0.95) -> Estimate:
    """The share of units in which something happened. ``happened``: [n], 0, 1 or NaN (dropped)."""
    x, note = usable(happened)
    if not np.isin(x, (0.0, 1.0)).all():
        raise ValueError(
            "proportion takes 0, 1 or NaN a unit; use mean() for shares within a unit."
        )
    return clopper_pearson(float(x.sum()), len(x), level=level, note=note)


def rule_of_three(n: int, *, level: float = 0.95, event: str = "event") -> str:
    """What zero events in n trials show, in words: at 95 % a rate of at most 3/n.

    The exact one-sided bound is ``1 - alpha^(1/n)``; 1 % needs n = 299.
    """
    bound = -math.expm1(math.log(1.0 - level) / n)
    return f"no {event} in {n}: at most {bound:.2g} at {100 * level:g} % (about 3/n)"


def _binomial_tail(k: int, n: int, limit: float, above: bool) -> float:
    if limit < 0 or limit > 1:  # outside 0..1 nothing needs to be shown
        return 0.0 if (limit < 0) == above else 1.0
    if above:  # P(X >= k | p = limit)
        return 1.0 if k == 0 else float(special.betainc(k, n - k + 1, limit))
    return 1.0 if k == n else float(special.betaincc(k + 1, n - k, limit))  # P(X <= k)


def empirical_bernstein(x: Array, low: float, high: float, *, level: float = 0.95) -> Estimate:
    """The mean of units in a stated range, with a bound that holds at every n.

    ``|mean - mu| <= s sqrt(2 ln(2/d)/n) + 7 (high-low) ln(2/d) / (3(n-1))``, each side with
    probability 1-d, d = alpha/2, s^2 the sample variance (n-1); cut at the range.
    ``x``: [n]. Source: Maurer & Pontil 2009, Theorem 4. Raises ValueError if a unit is outside
    the range. Caveat: wide for small n; the range must be known, not read off the sample.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"empirical_bernstein needs a finite range, not [{low!r}, {high!r}]; "
            "for unbounded units use mean()."
        )
    x, note = usable(x)
    n = len(x)
    if n == 0:
        return nothing(note or "no usable unit", level)
    slack = 1e-9 * (high - low)
    if x.min() < low - slack or x.max() > high + slack:
        raise ValueError(
            f"A unit is outside the stated range [{low:g}, {high:g}]: the units span "
            f"[{x.min():g}, {x.max():g}]."
        )
    value = float(x.mean())
    if n == 1:
        return Estimate(value, low, high, 1, "empirical Bernstein", level, note)
    s = float(x.std(ddof=1))
    radius = bernstein_radius(s, n, high - low, (1.0 - level) / 2)
    tail = partial(_bernstein_tail, value, s, n, low, high)
    ends = max(low, value - radius), min(high, value + radius)
    return Estimate(value, *ends, n, "empirical Bernstein", level, note, tail)


def bernstein_radius(s: float, n: int, width: float, d: float) -> float:
    """One side of the bound of Maurer & Pontil 2009 at failure probability ``d``."""
    log = math.log(2.0 / d)
    return s * math.sqrt(2 * log / n) + 7 * width * log / (3 * (n - 1))


def _bernstein_tail(
    value: float, s: float, n: int, low: float, high: float, limit: float, above: bool
) -> float:
    if limit < low or limit > high:  # outside the range nothing needs to be shown
        return 0.0 if (limit < low) == above else 1.0
    gap = value - limit if above else limit - value
    if gap <= 0:
        return 1.0
    # radius(d) = gap is a quadratic in sqrt(ln(2/d)).
    a, b = 7 * (high - low) / (3 * (n - 1)), s * math.sqrt(2 / n)
    root = (-b + math.sqrt(b * b + 4 * a * gap)) / (2 * a)
    return 2 * math.exp(-root * root)


def student_t(
    x: Array,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
    deterministic: bool = False,
) -> Estimate:
    """The mean of n independent units, with Student's t interval: ``mean +- t s / sqrt(n)``.

    ``x``: [n]; ``bounds``: a stated range, at which the interval is cut; ``deterministic``: see
    ``estimate.unanimous``, which answers when all units are equal.
    Caveat: exact for normal units only; too narrow for few, skewed units (measured in the tests):
    prefer ``bootstrap.mean``.
    """
    x, note = usable(x)
    if len(x) == 0:
        return nothing(note or "no usable unit", level)
    if np.isinf(x).any():
        return infinite(x, level, note)
    if x.min() == x.max():
        return unanimous(x, deterministic, level, bounds, note)
    n, value = len(x), float(x.mean())
    se = float(x.std(ddof=1)) / math.sqrt(n)
    return cut(from_standard_error(value, se, n, df=n - 1, level=level, note=note), bounds)


def from_standard_error(
    value: float,
    se: float,
    n: int,
    *,
    df: float = math.inf,
    level: float = 0.95,
    deterministic: bool = False,
    note: str = "",
) -> Estimate:
    """``value +- t se`` with ``df`` degrees of freedom; infinite df is the normal interval.

    A standard error of 0 is that of n equal units: see ``estimate.unanimous``.
    """
    if n == 0 or math.isnan(value) or math.isnan(se):
        return nothing(join_notes(note, "no usable unit"), level)
    if se == 0:
        return unanimous(np.full(n, value), deterministic, level, None, note)
    half = t_quantile((1 + level) / 2, df) * se
    method = "normal" if math.isinf(df) else "Student t"
    tail = partial(_t_tail, value, se, df)
    return Estimate(value, value - half, value + half, n, method, level, note, tail)


def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t, of the normal distribution for infinite ``df``."""
    return float(special.ndtri(p) if math.isinf(df) else special.stdtrit(df, p))


def t_below(t: float, df: float) -> float:
    """P(T <= t) of Student's t, of the normal distribution for infinite ``df``."""
    return float(special.ndtr(t) if math.isinf(df) else special.stdtr(df, t))


def _t_tail(value: float, se: float, df: float, limit: float, above: bool) -> float:
    return t_below((limit - value) / se if above else (value - limit) / se, df)


def infinite(x: Array, level: float, note: str) -> Estimate:
    """The answer when a unit is infinite: no mean, no width; every p-value is 1."""
    words = join_notes(note, f"{int(np.isinf(x).sum())} of {len(x)} units infinite")
    return Estimate(math.nan, -math.inf, math.inf, len(x), "none", level, words)


def cut(estimate: Estimate, bounds: tuple[float, float] | None) -> Estimate:
    """The same estimate with its interval cut at a stated range of the true value."""
    if bounds is None:
        return estimate
    low, high = max(estimate.low, bounds[0]), min(estimate.high, bounds[1])
    tail = partial(_cut_tail, estimate.tail, *bounds) if estimate.tail else None
    return replace(estimate, low=low, high=high, tail=tail)


def _cut_tail(tail: Tail, low: float, high: float, limit: float, above: bool) -> float:
    if limit < low or limit > high:
        return 0.0 if (limit < low) == above else 1.0
    return tail(limit, above)
