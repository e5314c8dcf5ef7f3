"""A number with its interval, its n and its method: what every estimator returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from freezetag.core.arrays import Array

Tail = Callable[[float, bool], float]
"""``tail(limit, above)``: p-value of the claim "true value > limit" (above) or "< limit"."""


@dataclass(frozen=True)
class Estimate:
    """A value, its two-sided interval at ``level``, the number of units behind it, its method.

    ``n`` counts independent units (seeds, episodes, matches), never seats or time steps.
    ``n == 0`` means no usable unit: the value is NaN, the interval the whole line, every p is 1.
    Caveat: the interval is about the sampling of units under the scenario's settings, not about
    other settings.
    """

    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95
    note: str = ""
    tail: Tail | None = field(default=None, repr=False, compare=False)

    def p_above(self, limit: float) -> float:
        """One-sided p-value of the claim "true value > limit": small when the data show it."""
        return self._p(float(limit), above=True)

    def p_below(self, limit: float) -> float:
        """One-sided p-value of the claim "true value < limit": small when the data show it."""
        return self._p(float(limit), above=False)

    def _p(self, limit: float, *, above: bool) -> float:
        if self.n == 0 or math.isnan(limit) or math.isnan(self.value):
            return 1.0
        if self.tail is not None:
            p = float(self.tail(limit, above))
            return 1.0 if math.isnan(p) else min(1.0, max(0.0, p))
        # Without an exact tail the interval still decides at its own level, and at no other.
        shown = self.low > limit if above else self.high < limit
        return (1.0 - self.level) / 2 if shown else 1.0

    def scaled(self, factor: float, offset: float = 0.0) -> Estimate:
        """The estimate of ``factor * x + offset``; a negative factor swaps the two ends."""
        if not (math.isfinite(factor) and factor != 0 and math.isfinite(offset)):
            raise ValueError(
                f"scaled() needs a finite factor other than 0, not {factor!r}, "
                f"and a finite offset, not {offset!r}."
            )
        ends = sorted((factor * self.low + offset, factor * self.high + offset))
        tail = None if self.tail is None else partial(_scaled_tail, self.tail, factor, offset)
        value = factor * self.value + offset
        return replace(self, value=value, low=ends[0], high=ends[1], tail=tail)

    def negated(self) -> Estimate:
        """The estimate of ``-x``: what was "above" is now "below"."""
        return self.scaled(-1.0)

    def noted(self, words: str) -> Estimate:
        """The same estimate with ``words`` added to its note."""
        return replace(self, note=join_notes(self.note, words))


def _scaled_tail(tail: Tail, factor: float, offset: float, limit: float, above: bool) -> float:
    return tail((limit - offset) / factor, above if factor > 0 else not above)


def nothing(note: str = "no usable unit", level: float = 0.95) -> Estimate:
    """The estimate from no data: NaN, the whole line, n = 0, every p-value 1."""
    return Estimate(math.nan, -math.inf, math.inf, 0, "none", level, note)


def exact(value: float, n: int = 1, level: float = 0.95, note: str = "") -> Estimate:
    """A value known without sampling error: a closed form, or a deterministic world.

    p-values are 0 or 1.
    """
    tail = partial(_exact_tail, float(value))
    return Estimate(float(value), float(value), float(value), n, "deterministic", level, note, tail)


def _exact_tail(value: float, limit: float, above: bool) -> float:
    return 0.0 if (value > limit if above else value < limit) else 1.0


def bracketed(low: float, high: float, n: int = 1, level: float = 0.95, note: str = "") -> Estimate:
    """A threshold known to lie between two settings that were both tried, without sampling error.

    The value is the middle; an infinite end means that the search's range ended first, and the
    value is the other end. p-values are 0 for what lies outside the bracket, else 1. Raises
    ValueError unless low <= high and one of them is finite.
    """
    if not low <= high or not (math.isfinite(low) or math.isfinite(high)):
        raise ValueError(f"a bracket needs low <= high, one of them finite; got {low}, {high}.")
    value = (low + high) / 2 if math.isfinite(low + high) else low if math.isfinite(low) else high
    tail = partial(_bracket_tail, float(low), float(high))
    return Estimate(float(value), float(low), float(high), n, "bisection", level, note, tail)


def _bracket_tail(low: float, high: float, limit: float, above: bool) -> float:
    return 0.0 if (low > limit if above else high < limit) else 1.0


def join_notes(*notes: str) -> str:
    """Non-empty notes, separated by semicolons."""
    return "; ".join(note for note in notes if note)


def usable(units: Array) -> tuple[Array, str]:
    """Float64 units without those that contain a NaN, and a note that counts the dropped ones.

    ``units``: [n] or [n, ...]; a unit is a row.
    """
    x = np.asarray(units, dtype=np.float64)
    if x.ndim == 0:
        x = x[None]
    missing = np.isnan(x).reshape(len(x), -1).any(axis=1) if x.size else np.zeros(len(x), bool)
    dropped = int(missing.sum())
    return x[~missing], f"{dropped} of {len(x)} units missing, dropped" if dropped else ""


def unanimous(
    x: Array,
    deterministic: bool,
    level: float,
    bounds: tuple[float, float] | None,
    note: str,
) -> Estimate:
    """The estimate of a mean from n equal units, where no resampling can give a width.

    ``deterministic=True``: the caller knows, not from these units, that there is no chance in
    them, so p-values are 0 or 1. Otherwise equality is luck, as eight zeros of an event of 2 %
    are: with probability ``level`` at most ``1 - (alpha/2)^(1/n)`` of units differ (rule of
    three), which moves the mean by at most that share of ``bounds``; without bounds the interval
    is the whole line.
    """
    value, n = float(x[0]), len(x)
    if deterministic:
        return exact(value, n, level, note)
    if bounds is None:
        words = join_notes(note, f"{n} equal unit(s): no width without a stated range")
        return Estimate(value, -math.inf, math.inf, n, "none", level, words)
    share = unseen(n, level)
    low, high = value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    words = join_notes(note, f"all {n} units equal: at most {share:.3g} of units differ")
    tail = partial(range_tail, value, n, *bounds)
    return Estimate(value, low, high, n, "equal units in a range", level, words, tail)


def unseen(n: int, level: float) -> float:
    """The greatest share of units that n of them may all have missed, at ``(1 + level) / 2``."""
    return -math.expm1(math.log((1 - level) / 2) / n)


def range_tail(value: float, n: int, low: float, high: float, limit: float, above: bool) -> float:
    """p-value of a mean beyond ``limit``, from n equal units in the range [low, high]."""
    gap, width = (value - limit, value - low) if above else (limit - value, high - value)
    if gap <= 0:
        return 1.0
    return 0.0 if gap >= width else (1.0 - gap / width) ** n
