"""How low the mean return falls as the mix of co-players moves away from the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.estimate import Estimate, join_notes, nothing, usable
from freezetag.estimators.intervals import bernstein_radius

KAPPAS = (0.0, 0.1, 0.5, 1.0, 2.0, math.inf)
"""Budgets in nats: exp(kappa) bounds how much likelier a plausible mix may make a co-player."""

Functional = Callable[[Array], float]
"""Of the returns [n] against n co-players; must not fall when any one of them rises."""


def value_at(u: Array, kappa: float, p: Array | None = None) -> float:
    """``V(kappa) = min{E_q u : KL(q, p) <= kappa}``, kappa in nats.

    The minimiser is ``q ~ p exp(-eta u)``; eta is the root of ``KL(q_eta, p) = kappa``. Past
    ``KL = -ln p(minimisers of u)`` it is the minimum of u.
    ``u``: [n], return against each co-player; ``p``: [n], reference population (uniform).
    V(0) is the mean, V(inf) the worst case; V falls in kappa and rises in every u_j.
    NaN in u gives NaN. Raises ValueError for a negative or NaN kappa.
    Source: docs/sources.md C4; the KL ball of distributionally robust optimisation (Hu & Hong
    2013). Caveat: a plug-in of noisy u is biased down; use ``curve``.
    """
    if not kappa >= 0:
        raise ValueError(f"kappa is a KL budget in nats, at least 0; got {kappa!r}.")
    u, p = _population(u, p)
    live = p > 0
    u, p = u[live], p[live]
    if np.isnan(u).any() or not len(u):
        return math.nan
    least, span = float(u.min()), float(u.max() - u.min())
    if not math.isfinite(span):
        return float(u @ p) if kappa == 0 else least
    if span == 0 or kappa == 0:
        return float(u @ p) if span else least
    if kappa >= -math.log(float(p[u == least].sum())):
        return least
    from scipy.optimize import brentq

    x = (u - least) / span
    if kappa < 1e-12:  # KL = eta^2 var / 2 there, below what its formula can resolve
        return float(u @ p) - span * math.sqrt(2 * kappa * float(p @ (x - x @ p) ** 2))

    def tilted(log_eta: float) -> tuple[float, float]:
        """Mean of x under q_eta, and KL(q_eta, p) = -eta E_q x - ln E_p exp(-eta x)."""
        eta = math.exp(log_eta)
        q = p * np.exp(-eta * x)  # the sum is at least p(minimisers): it cannot underflow
        z = float(q.sum())
        mean = float(q @ x) / z
        return mean, -eta * mean - math.log(z)

    low, high = -20.0, 0.0
    while tilted(high)[1] < kappa:
        high += 2.0
        if high > 60.0:  # the root lies beyond any difference between returns that floats hold
            return least
    root = brentq(lambda log_eta: tilted(log_eta)[1] - kappa, low, high, xtol=1e-13, rtol=1e-13)
    return least + span * tilted(float(root))[0]


def cvar(u: Array, share: float = 0.1, p: Array | None = None) -> float:
    """Mean return over the worst ``share`` of the population (CVaR10 at .1), fractions included."""
    if not 0 < share <= 1:
        raise ValueError(f"cvar takes the mean of a share in (0, 1], not {share!r}.")
    u, p = _population(u, p)
    if np.isnan(u).any():
        return math.nan
    order = np.argsort(u, kind="stable")
    taken = np.diff(np.minimum(np.cumsum(p[order]), share), prepend=0.0)
    taken[-1] += max(0.0, share - float(taken.sum()))  # what rounding of p left over
    kept = taken > 0
    return float(u[order][kept] @ taken[kept]) / share


def rational(own: Array, best: Array, share: float = 0.5, floor: Array = 0.0) -> Array:
    """Which co-players [n] get at least ``share`` of their own best-response value.

    ``own``: what they got against the focal player; ``best``: what a best response would get;
    both over ``floor`` (what random play gets). Unknown values count as rational: leaving them out
    would flatter the focal player.
    """
    own, best = np.asarray(own, dtype=np.float64), np.asarray(best, dtype=np.float64)
    target = np.minimum(floor + share * (best - floor), best)
    keep: Array = ~(own < target)
    return keep


def curve(
    scores: Sequence[Array],
    low: float,
    high: float,
    *,
    kappas: Sequence[float] = KAPPAS,
    p: Array | None = None,
    level: float = 0.95,
) -> list[Estimate]:
    """V at each kappa, with bounds that hold for all kappa at once.

    Every ``u_j`` gets a two-sided empirical-Bernstein interval at level ``1 - alpha/n``; V rises
    in every u_j, so the intervals' ends go through V: with probability ``level`` all n hold, and
    then so do all kappas (and ``summaries``). ``scores``: n arrays, co-player j's match returns
    [m_j] in the stated range ``[low, high]``; a co-player without a usable match spans the range.
    n of each estimate is the number of matches. Source: docs/sources.md P1; Maurer & Pontil 2009.
    Caveat: V of noisy means is biased down: read the interval, never the bare value.
    """
    functionals = [partial(_value, kappa=kappa, p=p) for kappa in kappas]
    return _through(scores, low, high, functionals, p, level)


def summaries(
    scores: Sequence[Array],
    low: float,
    high: float,
    *,
    p: Array | None = None,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Mean, CVaR10 and worst co-player, with the same simultaneous bounds as ``curve``."""
    functionals = [
        partial(_value, kappa=0.0, p=p),
        partial(_cvar10, p=p),
        partial(_value, kappa=math.inf, p=p),
    ]
    found = _through(scores, low, high, functionals, p, level)
    return dict(zip(("mean", "cvar10", "worst"), found, strict=True))


def _value(u: Array, kappa: float, p: Array | None) -> float:
    return value_at(u, kappa, p)


def _cvar10(u: Array, p: Array | None) -> float:
    return cvar(u, 0.1, p)


class _Cells:
    """Mean, spread and count of each co-player's matches, and their bounds at failure chance d."""

    def __init__(self, scores: Sequence[Array], low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"robustness needs a finite range, not [{low!r}, {high!r}].")
        self.range = (low, high)
        cells = [usable(x)[0] for x in scores]
        for j, x in enumerate(cells):
            slack = 1e-6 * max(abs(low), abs(high))  # returns come in single precision
            if len(x) and (x.min() < low - slack or x.max() > high + slack):
                raise ValueError(
                    f"A return against co-player {j} is outside the stated range "
                    f"[{low:g}, {high:g}]: they span [{x.min():g}, {x.max():g}]."
                )
        self.counts = np.array([len(x) for x in cells])
        self.means = np.array([x.mean() if len(x) else math.nan for x in cells])
        self.spreads = np.array([x.std(ddof=1) if len(x) > 1 else math.nan for x in cells])

    def bounds(self, d: float, *, upper: bool) -> Array:
        """One end [n] of every mean, each wrong with probability at most ``d``."""
        low, high = self.range
        ends = np.full(len(self.means), float(high if upper else low))
        for j in np.flatnonzero(self.counts > 1):
            radius = bernstein_radius(self.spreads[j], int(self.counts[j]), high - low, d)
            ends[j] = (
                min(high, self.means[j] + radius) if upper else max(low, self.means[j] - radius)
            )
        return ends


def _through(
    scores: Sequence[Array],
    low: float,
    high: float,
    functionals: Sequence[Functional],
    p: Array | None,
    level: float,
) -> list[Estimate]:
    cells = _Cells(scores, low, high)
    n, total = len(cells.means), int(cells.counts.sum())
    if total == 0:
        return [nothing("no usable match", level) for _ in functionals]
    unmet = int((cells.counts == 0).sum())
    note = f"{n} co-players, bounds simultaneous"
    note = join_notes(
        note, f"{unmet} co-players not measured: they span the range" if unmet else ""
    )
    d = (1.0 - level) / (2 * n)
    lows, highs = cells.bounds(d, upper=False), cells.bounds(d, upper=True)
    # A co-player never met could be anything; the value takes the safe end, as the low one does.
    middle = np.where(np.isnan(cells.means), low, cells.means)
    return [
        Estimate(
            f(middle), f(lows), f(highs), total, "empirical Bernstein through V", level, note,
            partial(_monotone_tail, f, cells),
        )
        for f in functionals
    ]  # fmt: skip


def _monotone_tail(f: Functional, cells: _Cells, limit: float, above: bool) -> float:
    """Least n d at which the functional of all one-sided bounds clears the limit: bisection."""

    def clears(log_d: float) -> bool:
        end = f(cells.bounds(math.exp(log_d), upper=not above))
        return end > limit if above else end < limit

    n = len(cells.means)
    least, most = -700.0, -math.log(n)
    if not clears(most):
        return 1.0
    for _ in range(40):
        middle = (least + most) / 2
        least, most = (least, middle) if clears(middle) else (middle, most)
    return n * math.exp(most)


def _population(u: Array, p: Array | None) -> tuple[Array, Array]:
    u = np.asarray(u, dtype=np.float64)
    weights = np.ones(len(u)) if p is None else np.asarray(p, dtype=np.float64)
    if weights.shape != u.shape or not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError(
            f"The reference population needs {len(u)} weights >= 0, not all 0; got {p}."
        )
    return u, weights / weights.sum()
