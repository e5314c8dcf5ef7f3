"""Outcomes of a group: how much, how little for the worst off, how evenly, who bears it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.bootstrap import mean
from freezetag.estimators.estimate import Estimate


def utilitarian(returns: Array, steps: float = 1.0) -> Array:
    """``U = sum_i R_i / T`` over the last axis. ``returns``: [..., N], an episode's sums."""
    return np.asarray(np.asarray(returns, dtype=np.float64).sum(axis=-1) / steps)


def worst_off(returns: Array, steps: float = 1.0) -> Array:
    """``min_i R_i / T`` over the last axis; NaN if any is NaN."""
    return np.asarray(np.asarray(returns, dtype=np.float64).min(axis=-1) / steps)


def root_nash_welfare(returns: Array, steps: float = 1.0) -> Array:
    """``(prod_i R_i / T)^(1/N)``, the geometric mean; 0 if one gets 0, NaN if one gets less.

    Source: Kaneko & Nakamura 1979; Mukobi et al. 2023 (welfare points a year).
    Caveat: depends on where zero lies, unlike U and equality's order.
    """
    r = np.asarray(returns, dtype=np.float64) / steps
    with np.errstate(divide="ignore", invalid="ignore"):
        geometric = np.exp(np.log(np.where(r >= 0, r, np.nan)).mean(axis=-1))
    return np.asarray(geometric)


def equality(returns: Array) -> Array:
    """``1 - sum_ij |R_i - R_j| / (2 N sum R)``, one minus the Gini index, over the last axis.

    NaN unless all R >= 0 and their sum > 0: elsewhere the index leaves 0..1.
    Source: Perolat et al. 2017. Caveat: everybody with next to nothing is perfectly equal.
    """
    r = np.asarray(returns, dtype=np.float64)
    total, n = r.sum(axis=-1), r.shape[-1]
    ordered = np.sort(r, axis=-1)
    # sum_ij |R_i - R_j| = 2 sum_k (2k - N + 1) R_(k), k = 0..N-1
    spread = 2 * (ordered * (2 * np.arange(n) - n + 1)).sum(axis=-1)
    defined = (r >= 0).all(axis=-1) & (total > 0)
    share = np.divide(spread, 2 * n * total, out=np.full_like(total, np.nan), where=defined)
    return np.asarray(1 - share)


def outcomes(
    returns: Array,
    steps: float = 1.0,
    *,
    level: float = 0.95,
    deterministic: bool = False,
) -> dict[str, Estimate]:
    """U, the minimum, root Nash welfare and equality, each a mean over episodes.

    ``returns``: [B, N]; the episode is the unit, not the seat. Episodes in which a figure is
    undefined are dropped, and the note says how many and why.
    """
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim != 2:
        raise ValueError(f"outcomes needs returns [episodes, players], got shape {r.shape}.")
    found = {}
    for name, values, reason in (
        ("utilitarian", utilitarian(r, steps), ""),
        ("worst off", worst_off(r, steps), ""),
        ("root Nash welfare", root_nash_welfare(r, steps), "a return is negative"),
        ("equality", equality(r), "a return is negative or all are 0"),
    ):
        lost = int((np.isnan(values) & ~np.isnan(r).any(axis=-1)).sum())
        e = mean(values, level=level, deterministic=deterministic)
        found[name] = e.noted(f"undefined in {lost} of {len(r)}: {reason}") if lost else e
    return found


@dataclass(frozen=True)
class Schelling:
    """Schelling's two lines: pay of a cooperator, of a defector, by how many others cooperate."""

    cooperator_slope: Estimate  # what one more cooperator is worth to a cooperator
    defector_slope: Estimate  # and to a defector
    temptation: Estimate  # mean over k of D(k) - C(k): > 0 where defecting pays
    cooperation_pays: Estimate  # C(N-1) - D(0): > 0 where all C beats all D


def schelling(
    cooperator: Array,
    defector: Array,
    *,
    level: float = 0.95,
    deterministic: bool = False,
) -> Schelling:
    """Slopes of Schelling's diagram by least squares within each seed, then a mean over seeds.

    ``cooperator``, ``defector``: [S, N]; column k is the focal player's pay when k of the N-1
    others cooperate. Positive temptation and positive ``cooperation_pays`` make a social dilemma.
    Source: Schelling 1973; Perolat et al. 2017. Caveat: a straight line through a bent curve; look
    at the columns where the slopes surprise.
    """
    c, d = np.asarray(cooperator, dtype=np.float64), np.asarray(defector, dtype=np.float64)
    if c.shape != d.shape or c.ndim != 2 or c.shape[1] < 2:
        raise ValueError(f"schelling needs two arrays [seeds, N >= 2], got {c.shape}, {d.shape}.")
    k = np.arange(c.shape[1]) - (c.shape[1] - 1) / 2
    weights = k / (k @ k)

    def over_seeds(values: Array, words: str) -> Estimate:
        return mean(values, level=level, deterministic=deterministic).noted(words)

    return Schelling(
        over_seeds(c @ weights, "per cooperator more"),
        over_seeds(d @ weights, "per cooperator more"),
        over_seeds((d - c).mean(axis=1), "mean over k"),
        over_seeds(c[:, -1] - d[:, 0], ""),
    )
