"""Transitive and cyclic parts of a payoff matrix: is there a best player at all?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.bootstrap import SEED
from freezetag.estimators.estimate import Estimate, exact, join_notes, nothing
from freezetag.estimators.intervals import cut, t_below, t_quantile


def antisymmetric(payoffs: Array) -> Array:
    """``A = (M - M')/2`` over the last two axes; positive where row beats column."""
    m = np.asarray(payoffs, dtype=np.float64)
    if m.ndim < 2 or m.shape[-1] != m.shape[-2]:
        raise ValueError(f"A ranking needs square payoff matrices, got shape {m.shape}.")
    return (m - np.swapaxes(m, -1, -2)) / 2


def ratings(a: Array, weights: Array | None = None) -> Array:
    """``r = A w`` [..., n]: mean margin of each player; ``weights`` [n] default to uniform."""
    a = np.asarray(a, dtype=np.float64)
    return np.asarray(a @ _weights(a.shape[-1], weights))


def transitive_part(a: Array, weights: Array | None = None) -> Array:
    """``r1' - 1r'``: the part of A [..., n, n] that a single number a player explains."""
    r = ratings(a, weights)
    return np.asarray(r[..., :, None] - r[..., None, :])


def cyclic_share(a: Array, weights: Array | None = None) -> Array:
    """``|A - (r1' - 1r')|^2 / |A|^2`` over the last two axes; NaN for a matrix of zeros.

    0: a rating says it all; 1: everybody's mean is alike, all is rock-paper-scissors.
    ``weights``: [n], the population in both the mean and the norm (see ``clone_weights``).
    Source: Jiang et al. 2011 (HodgeRank); Balduzzi et al. 2019. Caveat: noise alone makes cycles:
    use ``ranking``.
    """
    a = np.asarray(a, dtype=np.float64)
    w = _weights(a.shape[-1], weights)
    pair = w[:, None] * w
    whole = (a * a * pair).sum(axis=(-1, -2))
    rest = ((a - transitive_part(a, w)) ** 2 * pair).sum(axis=(-1, -2))
    return np.divide(rest, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def three_cycles(a: Array) -> tuple[int, int]:
    """How many triples go round (i beats j beats k beats i), and how many triples there are."""
    beats = (np.asarray(a) > 0).astype(np.float64)
    n = len(beats)
    return round(float(np.trace(beats @ beats @ beats)) / 3), math.comb(n, 3)


def clone_weights(payoffs: Array, tolerance: float = 1e-9) -> Array:
    """Weights [n] in which players with equal rows of A share the weight of one.

    ``tolerance`` is relative to the greatest entry; with noisy payoffs give the noise.
    """
    a = antisymmetric(payoffs)
    scale = float(np.abs(a).max(initial=0.0)) or 1.0
    alike = (np.abs(a[:, None, :] - a[None, :, :]) <= tolerance * scale).all(axis=-1)
    weights = 1.0 / alike.sum(axis=1)
    return np.asarray(weights / weights.sum())


def effective_diversity(payoffs: Array) -> float:
    """``p' max(A, 0) p``, p the Nash equilibrium of A with the greatest entropy.

    0 if one player beats or equals all; clones change nothing. A is zero-sum, so p solves
    ``max H(p) : A p <= 0``; here by its dual, ``min_l>=0 ln sum_j exp(-(l'A)_j)``.
    Source: Balduzzi et al. 2019, definition 4. Caveat: strategies outside the equilibrium do not
    count; accurate to about 1e-4 of the greatest entry.
    """
    from scipy.optimize import minimize

    a = antisymmetric(payoffs)
    scale = float(np.abs(a).max(initial=0.0))
    if scale == 0:
        return 0.0
    b = a / scale

    def dual(multipliers: Array) -> tuple[float, Array]:
        logits = -multipliers @ b
        top = logits.max()
        q = np.exp(logits - top)
        total = q.sum()
        return float(top + np.log(total)), -b @ (q / total)

    found = minimize(
        dual,
        np.zeros(len(b)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(b),
        options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-10},
    ).x
    logits = -found @ b
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return scale * float(p @ np.maximum(b, 0) @ p)


@dataclass(frozen=True)
class Ranking:
    """What ``ranking`` returns: the split, and how sure it is."""

    ratings: Array  # [n], r = row means of A
    order: tuple[int, ...]  # players, best first
    share: float  # cyclic share of the mean matrix, noise included
    noise: float  # how much of the mean matrix's squared margins is noise; NaN from one repeat
    cyclic: Estimate  # the cyclic share without the noise, with its interval
    cycles: int  # 3-cycles
    triples: int
    top_stays: float  # share of bootstrap resamples in which the top player stays the top


def ranking(
    matches: Array,
    *,
    weights: Array | None = None,
    level: float = 0.95,
    resamples: int = 400,
    deterministic: bool = False,
) -> Ranking:
    """Rate n players from repeated round robins ``matches`` [R, n, n] (row's payoff).

    Repeat (match, seed) is the unit. ``cyclic`` is ``C / W``, C the cyclic and W the whole squared
    margins, each as the mean of products ``<a_r, a_s>`` of *different* repeats: noise that is
    independent between repeats adds nothing to them in the mean, however strong it is.
    Interval: all shares t with ``|C - t W| <= q s(t)``, q of Student's t with R-1 degrees of
    freedom, s(t) the jackknife's standard error (Fieller's theorem), so that margins within
    their noise give [0, 1] and no narrow interval around nonsense. One or two repeats give
    [0, 1]. Equal repeats give [0, 1] too, unless ``deterministic`` says that the matches are
    known to have no chance in them: then the share is exact.
    A repeat with a NaN is dropped. Source: Jiang et al. 2011 for the split; Hoeffding 1948
    (U-statistics); Efron & Stein 1981 (the jackknife errs upwards); Fieller 1954.
    Caveat: approximate (coverage is in ``docs/coverage.md``); clones of one player inflate or
    hide cycles (weigh).
    """
    a, note = _margins(matches)
    repeats, n, _ = a.shape
    if repeats == 0:
        nan = np.full(n, np.nan)
        return Ranking(nan, (), math.nan, math.nan, nothing(note, level), 0, math.comb(n, 3), 0.0)
    mean = a.mean(axis=0)
    r = ratings(mean, weights)
    share = float(cyclic_share(mean, weights))
    count, triples = three_cycles(mean)
    order = tuple(np.argsort(-r, kind="stable").tolist())
    split = _Energies.of(a, weights, deterministic)
    cyclic = split.share(level, note)
    noise, stays = math.nan, math.nan
    if repeats > 1:
        pair = np.multiply.outer(*(2 * (_weights(n, weights),)))
        whole = float((mean * mean * pair).sum())
        noise = 1 - split.whole / whole if whole > 0 else math.nan
        rng = np.random.default_rng([SEED, repeats, n])
        draws = rng.multinomial(repeats, np.full(repeats, 1 / repeats), size=resamples) / repeats
        means = (draws @ a.reshape(repeats, -1)).reshape(resamples, n, n)
        stays = float((ratings(means, weights).argmax(axis=1) == order[0]).mean())
    return Ranking(r, order, share, noise, cyclic, count, triples, stays)


def cyclic_change(
    matches: Array,
    player: int = 0,
    *,
    level: float = 0.95,
    deterministic: bool = False,
    others_deterministic: bool = False,
) -> Estimate:
    """How much the cyclic share of ``matches`` [R, n, n] changes when ``player`` joins: C/W with
    the player less C/W of the others, on the same repeats.

    Interval: both shares' intervals, as ``ranking`` finds them, put together with the
    jackknife's correlation of the two (MOVER); where either's margins are within their noise,
    the farthest that both intervals allow. Cut at [-1, 1]. ``deterministic``,
    ``others_deterministic``: that all matches, or those without the player, are known to have no
    chance in them; see ``ranking``.
    Raises ValueError unless there are two others. Source: Zou & Donner 2008 (MOVER).
    Caveat: approximate (coverage is in ``docs/coverage.md``).
    """
    a, note = _margins(matches)
    repeats, n, _ = a.shape
    if n < 3:
        raise ValueError(f"a player changes the cycles of at least two others; got {n} players.")
    if repeats == 0:
        return nothing(note, level)
    others = np.arange(n) != player
    both = (
        _Energies.of(a, None, deterministic),
        _Energies.of(a[:, others][:, :, others], None, deterministic or others_deterministic),
    )
    if not all(one.whole > 0 for one in both):
        return _undefined(repeats, (-1.0, 1.0), level, join_notes(note, _no_margins(a)))
    value = both[0].ratio - both[1].ratio
    if all(one.known for one in both):
        return exact(value, repeats, level, note)
    if not (both[0].varies and (both[1].known or both[1].varies)):
        note = join_notes(note, _no_width(repeats))
    low, high = _mover(*both, t_quantile((1 + level) / 2, max(1, repeats - 1)))
    of = Estimate(
        value, low, high, repeats, "jackknife, Fieller and MOVER", level, note,
        partial(_change_tail, *both),
    )  # fmt: skip
    return cut(replace(of, value=_into(value, -1.0, 1.0)), (-1.0, 1.0))


@dataclass(frozen=True)
class _Energies:
    """Cyclic and whole squared margins without noise, from R repeats, and the jackknife's."""

    cyclic: float
    whole: float
    left: Array  # [R, 2], both without each repeat in turn; [0, 2] from fewer than 3
    repeats: int
    equal: bool  # all repeats alike
    known: bool  # no sampling error: there is no chance in it, or two players make no cycle

    @classmethod
    def of(cls, a: Array, weights: Array | None = None, deterministic: bool = False) -> _Energies:
        """From margins [R, n, n]. One repeat: noise and all, for want of a second."""
        repeats, n, _ = a.shape
        w = _weights(n, weights)
        root = np.sqrt(w[:, None] * w)
        values, left = [], []
        for part in (a - transitive_part(a, w), a):
            flat = (part * root).reshape(repeats, -1)
            products = flat @ flat.T
            if repeats == 1:
                values.append(float(products.sum()))
                continue
            row = products.sum(axis=1) - np.diag(products)
            values.append(float(row.sum()) / (repeats * (repeats - 1)))
            if repeats > 2:
                left.append((row.sum() - 2 * row) / ((repeats - 1) * (repeats - 2)))
        table = np.stack(left, axis=1) if left else np.empty((0, 2))
        equal = bool((a == a[0]).all())
        return cls(values[0], values[1], table, repeats, equal, n < 3 or (deterministic and equal))

    @property
    def ratio(self) -> float:
        return self.cyclic / self.whole

    @property
    def spread(self) -> Array:
        """[2, 2] the jackknife's covariance of (cyclic, whole)."""
        return _covariance(self.left, self.left)

    def error(self, t: float) -> float:
        """The standard error of ``cyclic - t whole``."""
        by = np.array([1.0, -t])
        return math.sqrt(max(0.0, float(by @ self.spread @ by)))

    def ends(self, q: float) -> tuple[float, float] | None:
        """The shares, not cut at 0 and 1, within ``q`` standard errors; None for all of them."""
        if self.known:
            return self.ratio, self.ratio
        if not self.varies:
            return None
        (cc, cw), (_, ww) = self.spread
        a = self.whole**2 - q * q * float(ww)
        b = self.cyclic * self.whole - q * q * float(cw)
        c = self.cyclic**2 - q * q * float(cc)
        if not (self.whole > 0 and a > 1e-12 * self.whole**2):
            return None
        root = math.sqrt(max(0.0, b * b - a * c))
        return (b - root) / a, (b + root) / a

    @property
    def varies(self) -> bool:
        """Whether the repeats show how much the share may vary."""
        return self.repeats > 2 and self.error(self.ratio) > 1e-9 * abs(self.whole)

    def share(self, level: float, note: str) -> Estimate:
        r = self.repeats
        if self.equal and self.whole == 0:
            return nothing(join_notes(note, "every match was a draw: no margins to split"), level)
        if not self.whole > 0:
            return _undefined(r, (0.0, 1.0), level, join_notes(note, _NOISE_ONLY))
        value = _into(self.ratio, 0.0, 1.0)
        if self.known:
            return exact(value, r, level, note)
        if not self.varies:
            words = join_notes(note, _no_width(r))
            return Estimate(value, 0.0, 1.0, r, "none", level, words)
        ends = self.ends(t_quantile((1 + level) / 2, r - 1))
        if ends is None:
            note = join_notes(note, "margins within their noise")
        low, high = ends or (0.0, 1.0)
        tail = partial(_share_tail, self)
        of = Estimate(value, low, high, r, "jackknife and Fieller", level, note, tail)
        of = cut(of, (0.0, 1.0))
        return replace(of, low=min(of.low, value), high=max(of.high, value))


_NOISE_ONLY = "the margins are no greater than their noise: no share of them"


def _undefined(repeats: int, ends: tuple[float, float], level: float, note: str) -> Estimate:
    return Estimate(math.nan, *ends, repeats, "none", level, note)


def _no_margins(a: Array) -> str:
    return _NOISE_ONLY if a.any() else "every match was a draw: no margins to split"


def _no_width(repeats: int) -> str:
    if repeats < 3:
        return f"{repeats} repeat(s): the noise is not known"
    return f"all {repeats} repeats are alike in it, and nothing says that they must be"


def _share_tail(split: _Energies, limit: float, above: bool) -> float:
    """Of "C > limit W": as C <= W, that shows W > 0 and a greater share, at any W."""
    gap = split.cyclic - limit * split.whole
    error = split.error(limit)
    if error == 0:
        return 0.0 if (gap > 0 if above else gap < 0) else 1.0
    return t_below(-gap / error if above else gap / error, split.repeats - 1)


def _mover(a: _Energies, b: _Energies, q: float) -> tuple[float, float]:
    """The ends of ratio(a) - ratio(b): Zou & Donner 2008, equations for a difference."""
    mine, other = a.ends(q), b.ends(q)
    if mine is None or other is None:
        inside = [tuple(_into(x, 0.0, 1.0) for x in one or (0.0, 1.0)) for one in (mine, other)]
        return inside[0][0] - inside[1][1], inside[0][1] - inside[1][0]
    r = 0.0
    if not (a.known or b.known):
        mine_by, its = ((e.left - e.left.mean(0)) @ [1.0, -e.ratio] / e.whole for e in (a, b))
        r = float(mine_by @ its) / math.sqrt(float(mine_by @ mine_by) * float(its @ its))
    down, up = a.ratio - mine[0], mine[1] - a.ratio
    fall, rise = b.ratio - other[0], other[1] - b.ratio
    value = a.ratio - b.ratio
    low = value - math.sqrt(max(0.0, down * down - 2 * r * down * rise + rise * rise))
    high = value + math.sqrt(max(0.0, up * up - 2 * r * up * fall + fall * fall))
    possible = _into(a.ratio, 0.0, 1.0) - _into(b.ratio, 0.0, 1.0)  # no share is beyond 0 and 1
    return min(low, possible), max(high, possible)


def _change_tail(a: _Energies, b: _Energies, limit: float, above: bool) -> float:
    """The least one-sided level at which the interval clears the limit: bisection."""

    def clears(log_p: float) -> bool:
        q = t_quantile(-math.expm1(log_p), a.repeats - 1)
        low, high = _mover(a, b, q)
        return low > limit if above else high < limit

    least, most = -30.0, math.log(0.5)
    if not clears(most):
        return 1.0
    for _ in range(40):
        middle = (least + most) / 2
        least, most = (least, middle) if clears(middle) else (middle, most)
    return math.exp(most)


def _margins(matches: Array) -> tuple[Array, str]:
    """Antisymmetric margins of the repeats without a NaN, and a note that counts the others."""
    a = antisymmetric(matches)
    if a.ndim != 3:
        raise ValueError(f"a ranking needs matches [repeats, n, n], got shape {a.shape}.")
    keep = ~np.isnan(a).any(axis=(1, 2))
    dropped = len(keep) - int(keep.sum())
    return a[keep], f"{dropped} of {len(keep)} repeats missing, dropped" if dropped else ""


def _covariance(a: Array, b: Array) -> Array:
    """The jackknife's covariance ``(R-1)/R sum (a_r - mean)(b_r - mean)'`` of two [R, ...]."""
    r = len(a)
    return np.asarray((r - 1) / r * (a - a.mean(0)).T @ (b - b.mean(0)))


def _into(x: float, low: float, high: float) -> float:
    return min(high, max(low, x))


def _weights(n: int, weights: Array | None) -> Array:
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not (w >= 0).all() or not w.sum() > 0:
        raise ValueError(f"Weights must be {n} numbers >= 0, not all 0; got {weights!r}.")
    return w / w.sum()
