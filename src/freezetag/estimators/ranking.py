"""Transitive and cyclic parts of a payoff matrix: is there a best player at all?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.bootstrap import SEED
from freezetag.estimators.estimate import Estimate, join_notes, nothing
from freezetag.estimators.intervals import from_standard_error


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
    noise: float  # share that a transitive population shows with the same noise
    cyclic: Estimate  # share - noise, with its interval
    cycles: int  # 3-cycles
    triples: int
    top_stays: float  # share of bootstrap resamples in which the top player stays the top


def ranking(
    matches: Array,
    *,
    weights: Array | None = None,
    level: float = 0.95,
    resamples: int = 400,
) -> Ranking:
    """Rate n players from repeated round robins ``matches`` [R, n, n] (row's payoff).

    Repeat (match, seed) is the unit: resamples draw repeats, never cells. Noise alone makes
    cycles, so the cyclic share that the transitive part shows with the resampled noise on top is
    subtracted. Interval: the bootstrap's standard error, Student's t with R-1 degrees of freedom.
    A repeat with a NaN is dropped. Source: PROBES P3; Balduzzi et al. 2019.
    Caveat: approximate, and R >= 10 is wise; clones of one player inflate or hide cycles (weigh).
    """
    a = antisymmetric(matches)
    if a.ndim != 3:
        raise ValueError(f"ranking needs matches [repeats, n, n], got shape {a.shape}.")
    keep = ~np.isnan(a).any(axis=(1, 2))
    dropped = len(keep) - int(keep.sum())
    note = f"{dropped} of {len(keep)} repeats missing, dropped" if dropped else ""
    a = a[keep]
    repeats, n, _ = a.shape
    if repeats == 0:
        nan = np.full(n, np.nan)
        return Ranking(nan, (), math.nan, math.nan, nothing(note, level), 0, math.comb(n, 3), 0.0)
    mean = a.mean(axis=0)
    r = ratings(mean, weights)
    share = float(cyclic_share(mean, weights))
    count, triples = three_cycles(mean)
    order = tuple(np.argsort(-r, kind="stable").tolist())
    if repeats == 1:
        alone = Estimate(share, -math.inf, math.inf, 1, "none", level, "one repeat: noise unknown")
        return Ranking(r, order, share, math.nan, alone, count, triples, math.nan)
    rng = np.random.default_rng([SEED, repeats, n])
    draws = rng.multinomial(repeats, np.full(repeats, 1 / repeats), size=resamples) / repeats
    means = (draws @ a.reshape(repeats, -1)).reshape(resamples, n, n)
    # A resampled mean varies (R-1)/R of what a fresh one would.
    noise = (means - mean) * math.sqrt(repeats / (repeats - 1))
    null = _finite_mean(cyclic_share(transitive_part(mean, weights) + noise, weights))
    shares = cyclic_share(mean + noise, weights)
    error = float(np.nanstd(shares, ddof=1)) if np.isfinite(shares).sum() > 1 else math.nan
    note = join_notes(note, f"{share:.3g} less {null:.3g} by noise alone")
    cyclic = from_standard_error(
        share - null, error, repeats, df=repeats - 1, level=level, note=note
    )
    stays = float((ratings(means, weights).argmax(axis=1) == order[0]).mean())
    return Ranking(r, order, share, null, cyclic, count, triples, stays)


def _finite_mean(x: Array) -> float:
    return float(x[np.isfinite(x)].mean()) if np.isfinite(x).any() else 0.0


def _weights(n: int, weights: Array | None) -> Array:
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not (w >= 0).all() or not w.sum() > 0:
        raise ValueError(f"Weights must be {n} numbers >= 0, not all 0; got {weights!r}.")
    return w / w.sum()
