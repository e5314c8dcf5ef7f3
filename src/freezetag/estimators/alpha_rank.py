"""Alpha-Rank: the share of time that an evolving population spends at each strategy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.log_chain import closed_classes, stationary_law

PART = 1 << 13


@dataclass(frozen=True)
class AlphaRank:
    """What ``single_population`` and ``multi_population`` return; states are numbered 0..n-1."""

    law: Array  # [n], the exact stationary law at this alpha, unique
    classes: tuple[tuple[int, ...], ...]  # sets never left but by moves rarer than `negligible`
    laws: Array  # [len(classes), n], the law inside each class if no such move happens
    weights: Array  # [len(classes)], mass of each class in the exact law
    shape: tuple[int, ...]  # strategies a population; state = np.ravel_multi_index(profile, shape)


def single_population(
    payoffs: Array,
    *,
    alpha: float = 100.0,
    m: int = 50,
    local: bool = True,
    negligible: float = 1e-12,
) -> AlphaRank:
    """Alpha-Rank of a symmetric two-player game; ``payoffs`` [n, n], row's payoff.

    One of m members mutates to r among residents s and takes over with chance ``rho_rs``, each of
    the n-1 mutants being equally likely. ``local``: fitness against the other strategy alone,
    ``rho = (1-e^-u)/(1-e^-mu)``, ``u = alpha (M_rs - M_sr)``. Otherwise fitness is the mean
    against the rest of the population, ``1/rho = 1 + sum_l prod_{k<=l} e^-alpha(f_r(k)-f_s(k))``.
    All in logarithms, so no alpha overflows and none makes two classes out of one by rounding.
    Source: Omidshafiei et al. 2019; Traulsen et al. 2006. Raises ValueError on a NaN payoff.
    Caveat: depends on alpha and m (report both); clones share mass.
    """
    a = _checked(payoffs)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"single_population needs a square payoff matrix, got shape {a.shape}.")
    _check_model(alpha, m)
    if local:
        gains = a.T - a  # [resident, mutant]
        gains *= alpha
        rates = _log_fixation(gains, m)
    else:
        rates = _log_fixation_in_population(a, alpha, m)
    rates -= math.log(max(1, len(a) - 1))
    return _rank(rates, (len(a),), negligible)


def multi_population(
    payoffs: Sequence[Array],
    *,
    alpha: float = 100.0,
    m: int = 50,
    negligible: float = 1e-12,
) -> AlphaRank:
    """Alpha-Rank of a K-player game: one population a player; ``payoffs``: K arrays [n_1..n_K].

    A state is a pure profile; one player's population moves at a time, each of the
    ``sum_k (n_k - 1)`` mutations equally likely, ``u = alpha (M_k(new) - M_k(old))``.
    Source: Omidshafiei et al. 2019. Caveat: dense in the number of profiles.
    """
    tables = [_checked(table) for table in payoffs]
    shape = tables[0].shape if tables else ()
    if not tables or len(shape) != len(tables) or any(t.shape != shape for t in tables):
        raise ValueError(
            f"multi_population needs one array [n_1..n_K] for each of K players, got shapes "
            f"{[t.shape for t in tables]}."
        )
    _check_model(alpha, m)
    states = math.prod(shape)
    index = np.arange(states).reshape(shape)
    rates = np.full((states, states), -np.inf)
    for k, table in enumerate(tables):
        values, where = np.moveaxis(table, k, 0), np.moveaxis(index, k, 0)
        for old, new in itertools.permutations(range(shape[k]), 2):
            gain = _log_fixation(alpha * (values[new] - values[old]), m)
            rates[where[old].ravel(), where[new].ravel()] = gain.ravel()
    moves = sum(size - 1 for size in shape)
    return _rank(rates - math.log(max(1, moves)), shape, negligible)


def _rank(log_rates: Array, shape: tuple[int, ...], negligible: float) -> AlphaRank:
    law = stationary_law(log_rates)
    edges = log_rates > math.log(negligible)
    np.fill_diagonal(edges, False)
    classes = closed_classes(edges)
    if len(classes) == 1 and len(classes[0]) == len(law):  # one class of all: its law is the law
        return AlphaRank(law, (tuple(range(len(law))),), law[None], np.ones(1), shape)
    laws = np.zeros((len(classes), len(law)))
    for row, members in zip(laws, classes, strict=True):
        # In its class, keep the frequent moves only: the others are what "if none happens" drops.
        inside = np.where(edges, log_rates, -np.inf)[np.ix_(members, members)]
        row[members] = stationary_law(inside)
    weights = np.array([law[members].sum() for members in classes])
    return AlphaRank(law, tuple(tuple(c.tolist()) for c in classes), laws, weights, shape)


def _log_fixation(u: Array, m: int) -> Array:
    """``ln (1-e^-u)/(1-e^-mu)``, 1/m at u = 0; for u < 0 it is ``-(m-1)|u|`` more than at |u|.

    Part by part: fresh memory for large arrays takes longer than all that is computed.
    """
    found = np.empty(u.shape)
    flat, rest = found.reshape(-1), np.ascontiguousarray(u).reshape(-1)
    for begin in range(0, len(rest), PART):
        part = rest[begin : begin + PART]
        size = np.abs(part)
        rho = np.log(_gone(size) / _gone(m * size))
        rho[size <= 1e-300] = -math.log(m)
        flat[begin : begin + PART] = rho + (m - 1) * np.minimum(part, 0.0)
    return found


def _gone(x: Array) -> Array:
    """``1 - e^-x`` of x >= 0 to a few roundings; below 1e-300, 1.

    ``y - 1`` of ``y = e^-x`` as rounded is exact, and as far from ``-x`` as ``ln y`` is.
    NumPy's ``expm1`` is slower. Source: Kahan, in Higham 2002, section 1.14.1.
    """
    x = np.minimum(x, 40.0)  # beyond, it is 1 to the last bit
    x = np.where(x <= 1e-300, 1.0, x)
    y = np.exp(-x)
    return np.divide((y - 1.0) * x, np.log(y), out=x, where=y != 1.0)


def _log_fixation_in_population(a: Array, alpha: float, m: int) -> Array:
    """Log fixation [resident s, mutant r] where k mutants meet the mean of the other m-1.

    ``f_r(k) - f_s(k)`` is linear in k, so its sum over k = 1..l is a quadratic in l.
    """
    own, other = np.diag(a), a.T  # other[s, r] = M_rs, what the mutant gets from a resident
    n = len(a)
    steps = np.arange(1, m, dtype=np.float64)
    squares = steps * (steps + 1) / 2  # sum of k up to l
    total = np.zeros((n, n))
    for count, sum_k in zip(steps, squares, strict=True):
        mutant = (sum_k - count) * own[None, :] + (m * count - sum_k) * other
        resident = ((m - 1) * count - sum_k) * own[:, None] + sum_k * a
        total = np.logaddexp(total, -alpha * (mutant - resident) / (m - 1))
    return -total


def _checked(table: Array) -> Array:
    a = np.asarray(table, dtype=np.float64)
    if a.size == 0 or not np.isfinite(a).all():
        raise ValueError(
            f"Alpha-Rank needs finite payoffs; got shape {a.shape} with "
            f"{int((~np.isfinite(a)).sum())} NaN or infinite entries."
        )
    return a


def _check_model(alpha: float, m: int) -> None:
    if not (math.isfinite(alpha) and alpha >= 0 and m >= 2):
        raise ValueError(f"Alpha-Rank needs a finite alpha >= 0 and m >= 2, got {alpha!r}, {m!r}.")
