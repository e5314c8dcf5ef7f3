"""The score in a plausible worst mix of co-players, with anchors and bootstrap intervals.

`estimators.robustness` has the definition, the guarantee and the source; here is the same
function for a whole batch of resamples, and what a probe does with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np

from freezetag.core import Array
from freezetag.estimators.bootstrap import FEW, RESAMPLES, SEED, bca, reaches
from freezetag.estimators.estimate import Estimate, nothing, unseen
from freezetag.estimators.intervals import cut, from_standard_error

TIE = 1e-6
"""Values closer than this share of the greatest are one: returns come in single precision."""


def worst_mix(u: Array, kappa: float) -> Array:
    """V(kappa) over the last axis of u [..., n], uniform reference; equals `robustness.value_at`.

    Bisection on ln eta of KL(q_eta, p) = kappa, all rows at once.
    """
    u = np.asarray(u, np.float64)
    least = u.min(-1)
    if math.isinf(kappa):
        return least
    if kappa == 0:
        return u.mean(-1)
    span = u.max(-1) - least
    x = (u - least[..., None]) / np.where(span > 0, span, 1.0)[..., None]
    low, high = np.full(span.shape, -15.0), np.full(span.shape, 25.0)
    for _ in range(38):
        middle = (low + high) / 2
        _, kl = _tilted(x, middle)
        low, high = np.where(kl < kappa, middle, low), np.where(kl < kappa, high, middle)
    mean, _ = _tilted(x, (low + high) / 2)
    to_point = -np.log((x == 0).mean(-1))
    return np.where(kappa >= to_point, least, least + span * mean)


def _tilted(x: Array, log_eta: Array) -> tuple[Array, Array]:
    """(mean of x, KL to uniform) under q ~ exp(-eta x); x in [0, 1] has a zero in each row."""
    weight = np.exp(-np.exp(np.minimum(log_eta, 700.0))[..., None] * x)
    total = weight.sum(-1)
    q = weight / total[..., None]
    live = np.where(q > 0, q, 1.0)
    return (q * x).sum(-1), (q * np.log(live)).sum(-1) + math.log(x.shape[-1])


def worst_mix_estimate(
    scores: Array,
    kappa: float,
    bottom: Array | None = None,
    top: Array | None = None,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
    deterministic: bool = False,
    resamples: int = RESAMPLES,
) -> Estimate:
    """V(kappa) of `scores` [R, n], BCa over repeats (rows), never over cells.

    With `bottom` and `top` [R', n] it is anchored: (V - V_bottom) / (V_top - V_bottom), each
    tilted against its own player; their repeats are resampled too. V of noisy means is biased
    down, and the less so the more repeats a table has: each V's own bias is taken out of the value
    (the jackknife's, of first order), and BCa does so for the ends. Where BCa's ends would lie
    beyond what the resamples show (`bootstrap.reaches`: few repeats, or a high level) Student's t
    on the jackknife's error answers. Where bottom and top keep the same, no share of the way is
    defined: n = 0.
    `bounds`: the range of a cell of every table; `deterministic`: of V itself, not of the anchored
    score. Where no resample moves it, `estimate.unanimous` answers for V. A score whose own table
    no resample moves has at least the range that what so few repeats may have missed of it leaves
    it, each anchor at the ends of what it may be itself. No interval goes beyond what V or the
    score can be in that range (`_score_range`).
    """
    tables = [np.asarray(t, np.float64) for t in (scores, bottom, top) if t is not None]
    rng = np.random.default_rng([SEED, *(len(t) for t in tables)])

    def joined(v: list[Array]) -> Array:
        if len(v) == 1:
            return v[0]
        way = v[2] - v[1]
        apart = np.abs(way) > TIE * unit
        return np.where(apart, (v[0] - v[1]) / np.where(apart, way, 1.0), np.nan)

    def value(means: list[Array]) -> Array:
        return joined([worst_mix(mean, kappa) for mean in means])

    def resampled(table: Array) -> Array:
        draws = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=resamples)
        return draws @ table / len(table)

    centre = [table.mean(0) for table in tables]
    unit = max(float(np.abs(one).max(initial=0.0)) for one in centre)
    n = len(scores)
    found = float(value(centre))
    if math.isnan(found):
        return nothing("random play keeps as much as the best known response")
    if len(tables) > 1 and bounds is not None:
        if n > 1 and (tables[0] == tables[0][0]).all():
            return _unmoved(tables, centre, joined, kappa, bounds, level, resamples)
        # The cells' own, and not the score's; one repeat shows no score at all.
        bounds = _score_range(tables[1], tables[2], kappa, bounds) if n > 1 else None
    unbiased = float(joined([np.asarray(_unbiased(table, kappa)) for table in tables]))
    if math.isfinite(unbiased):
        found = unbiased if bounds is None else min(max(unbiased, bounds[0]), bounds[1])

    def jackknife(at: int) -> Array:
        """[R] the value without each repeat of one table in turn."""
        table = tables[at]
        left = (table.sum(0) - table) / (len(table) - 1)
        return value([left if i == at else np.broadcast_to(c, left.shape)
                      for i, c in enumerate(centre)])  # fmt: skip

    if n > 1 and not reaches(n, level, resamples):
        errors = [jackknife(i).var() * (len(t) - 1) for i, t in enumerate(tables) if len(t) > 1]
        error = math.sqrt(sum(errors))
        if n < FEW or error != 0:  # `bca` knows what equal repeats in a range show
            of = from_standard_error(
                found, error, n, df=n - 1, level=level, deterministic=deterministic
            )
            return cut(of, bounds)
    draws = value([resampled(table) for table in tables])
    plain = float(value(centre))  # the draws are of this one, bias and all
    of = bca(
        plain, draws, jackknife(0) if n > 1 else np.empty(0), n,
        level=level, bounds=bounds, deterministic=deterministic,
    )  # fmt: skip
    if not math.isfinite(of.low) or of.method == "deterministic":
        return of
    return replace(of, value=found, low=min(of.low, found), high=max(of.high, found))


def _score_range(
    bottom: Array, top: Array, kappa: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """What a score can be, as every V lies within the range of the cells: where both anchors are
    known (one row) the ends' own scores; else at most 1 where the top is the range's end."""
    if len(bottom) == len(top) == 1:
        zero, one = (float(worst_mix(table[0], kappa)) for table in (bottom, top))
        low, high = sorted((end - zero) / (one - zero) for end in bounds)
        return low, high
    return -math.inf, 1.0 if (top == bounds[1]).all() else math.inf


def _unmoved(
    tables: list[Array],
    centre: list[Array],
    joined: Callable[[list[Array]], Array],
    kappa: float,
    bounds: tuple[float, float],
    level: float,
    resamples: int,
) -> Estimate:
    """The score of a table whose repeats are equal, between anchors of one repeat (known), of equal
    ones, or of others. A share of repeats that all were missed moves every cell by at most that
    share of the way to an end of the range, and V by as much: it moves and stretches as its cells
    do. An anchor that resamples move is at the ends of its own interval. A score is monotone in
    each, so that the corners bound it; each is reckoned at a level at which all hold together."""
    sampled = sum(len(table) > 1 for table in tables)
    each = 1 - (1 - level) / max(1, sampled)
    values, ends = [], []
    for table, mean in zip(tables, centre, strict=True):
        v = float(worst_mix(mean, kappa))
        if len(table) > 1 and (table != table[0]).any():
            own = worst_mix_estimate(table, kappa, level=each, bounds=bounds, resamples=resamples)
            values.append(own.value)
            ends.append([own.low, own.high])
        else:
            missed = unseen(len(table), each) if len(table) > 1 else 0.0
            values.append(v)
            ends.append([v + missed * (end - v) for end in bounds])
    found = float(joined([np.asarray(v) for v in values]))
    n = len(tables[0])
    note = f"all {n} repeats equal"
    corners = [float(joined([np.asarray(v) for v in corner])) for corner in product(*ends)]
    # Between anchors that may be in the other order no share of the way is bounded.
    if not np.isfinite(corners).all() or math.isnan(found) or ends[2][0] <= ends[1][1]:
        return Estimate(found, -math.inf, math.inf, n, "none", level, f"{note}, as may the anchors")
    return Estimate(found, min(corners), max(corners), n, "equal units in a range", level, note)


def _unbiased(table: Array, kappa: float) -> float:
    """V of the means of [R, n] less its bias by the noise of the means (the jackknife's)."""
    full = float(worst_mix(table.mean(0), kappa))
    repeats = len(table)
    if repeats < 2 or math.isinf(kappa):  # the minimum is not smooth: its bias is not of 1/R
        return full
    left = worst_mix((table.sum(0) - table) / (repeats - 1), kappa)
    return repeats * full - (repeats - 1) * float(left.mean())
