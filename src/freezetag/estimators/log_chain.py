"""Stationary law of a Markov chain given by the logarithms of its rates: no over- or underflow."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg.blas import dtrsm, dtrsv
from scipy.sparse import csgraph

from freezetag.core.arrays import Array

BLOCK = 32
LOST = -150.0  # rates under exp(LOST) count as absent in floats; their products seldom underflow
SAFE = -100.0  # a pivot over exp(SAFE) cannot notice what was lost; else logarithms take over


def stationary_law(log_rates: Array) -> Array:
    """The stationary law [n] of an irreducible chain with off-diagonal ``log_rates`` [n, n].

    State elimination without subtraction (Grassmann, Taksar & Heyman 1985), so that nothing
    cancels. In floats where all pivots stay far above what is dropped, else the same elimination
    on logarithms. Masses below 1e-18 may be given as 0. The diagonal is ignored; -inf is an
    absent edge.
    Raises ValueError if the chain has more than one closed class (its law is not unique).
    """
    scaled = np.array(log_rates, dtype=np.float64)
    np.fill_diagonal(scaled, -np.inf)
    top = scaled.max()  # NaN if one is
    if not top < np.inf:
        raise ValueError("log_rates must be finite or -inf; a NaN or +inf payoff cannot be ranked.")
    if len(scaled) == 1:
        return np.ones(1)
    scaled -= top
    rates = np.exp(scaled)
    rates[scaled <= LOST] = 0.0
    law = _eliminate(rates)
    if law is None:
        law = _eliminate_logs(scaled)
    return law


def closed_classes(edges: Array) -> list[Array]:
    """The closed (recurrent) classes of a directed graph ``edges`` [n, n] bool, as index arrays."""
    if _reaches_all(edges) and _reaches_all(edges.T):
        return [np.arange(len(edges))]
    count, label = csgraph.connected_components(edges, directed=True, connection="strong")
    leaves = np.zeros(count, dtype=bool)
    i, j = np.nonzero(edges)
    leaves[label[i[label[i] != label[j]]]] = True
    return [np.flatnonzero(label == c) for c in range(count) if not leaves[c]]


def _reaches_all(edges: Array) -> bool:
    seen = np.zeros(len(edges), dtype=bool)
    fresh = np.array([0])
    while len(fresh):
        seen[fresh] = True
        fresh = np.flatnonzero(edges[fresh].any(axis=0) & ~seen)
    return bool(seen.all())


def _eliminate(a: Array) -> Array | None:
    """Elimination in blocks, so that most of the work is a product or triangular solve of BLAS.

    A block's factors are found step by step, with one more column for all rates that leave it
    downwards. The solves are with matrices ``D - L``, all off-diagonal entries <= 0, so that
    they add what is >= 0, as the single steps would.
    """
    n, least = len(a), math.exp(SAFE)
    for end in range(n, 1, -BLOCK):
        first = max(1, end - BLOCK)
        rows, columns = a[first:end, :first], a[:first, first:end]
        block = np.column_stack([rows.sum(axis=1), a[first:end, first:end]])
        pivots = np.empty(end - first)
        for b in range(end - first - 1, -1, -1):
            row, into = block[b, : b + 1], block[:b, b + 1]
            pivots[b] = pivot = row.sum()
            if not pivot > least:
                return None
            into /= pivot
            block[:b, : b + 1] += into[:, None] * row
        a[first:end, first:end] = block[:, 1:]
        solved = -block[:, 1:].T  # BLAS has its matrices column by column
        np.fill_diagonal(solved, pivots)
        arrive = dtrsm(1.0, solved, columns.T)
        leave = dtrsm(1.0, solved, rows.T, side=1, lower=1, diag=1)
        columns[:] = arrive.T
        a[:first, :first] += arrive.T @ leave.T
    law: Array = dtrsv(-a.T, np.eye(1, n)[0], lower=1, diag=1)
    total = law.sum()
    return law / total if total < 1e250 else None


def _eliminate_logs(a: Array) -> Array:
    n = len(a)
    np.fill_diagonal(a, -np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        for k in range(n - 1, 0, -1):
            pivot = np.logaddexp.reduce(a[k, :k])
            if pivot == -np.inf:
                raise ValueError(f"State {k} cannot leave towards 0..{k - 1}: no unique law.")
            a[:k, k] -= pivot
            path = a[:k, k, None] + a[k, :k]
            block = a[:k, :k]
            near = path > block - 40.0  # e^-40 of a sum is below its rounding
            block[near] = np.logaddexp(block[near], path[near])
    law = np.zeros(n)
    for k in range(1, n):
        law[k] = np.logaddexp.reduce(law[:k] + a[:k, k])
    weights = np.exp(law - law.max())
    normal: Array = weights / weights.sum()
    return normal
