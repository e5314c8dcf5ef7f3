"""Two learners by multiplicative weights in a zero-sum game: does the gap close, or go round?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array


@dataclass(frozen=True)
class Learning:
    """Every policy of a run; row t is the one played at step t, row 0 the start."""

    rows: Array  # [T+1, n]
    columns: Array  # [T+1, m]
    gaps: Array  # [T+1], duality gap of the policies played
    average_gaps: Array  # [T+1], of their time averages


def duality_gap(payoffs: Array, row: Array, column: Array) -> Array:
    """``max_i (A y)_i - min_j (x' A)_j``: NashConv of (x, y) in the zero-sum game A.

    ``payoffs``: [n, m], the row player's; ``row``: [..., n]; ``column``: [..., m].
    """
    a = np.asarray(payoffs, dtype=np.float64)
    x, y = np.asarray(row, dtype=np.float64), np.asarray(column, dtype=np.float64)
    return np.asarray((y @ a.T).max(axis=-1) - (x @ a).min(axis=-1))


def multiplicative_weights(
    payoffs: Array,
    row: Array,
    column: Array,
    *,
    step: float,
    steps: int,
    alternating: bool = False,
) -> Learning:
    """``x <- x exp(step A y) / sum``, ``y <- y exp(-step A' x) / sum``, expected payoffs.

    Simultaneous updates spiral out to the rim; ``alternating`` (the column player answers the
    row player's new policy) go round. In both the time average comes near the equilibrium.
    Source: Bailey & Piliouras 2018; Bailey, Gidel & Piliouras 2020. Raises ValueError if a start
    policy has a zero: such an action could never come back.
    """
    a = np.asarray(payoffs, dtype=np.float64)
    starts = [np.asarray(row, dtype=np.float64), np.asarray(column, dtype=np.float64)]
    if any(not (p > 0).all() or abs(p.sum() - 1) > 1e-9 for p in starts):
        raise ValueError(f"Start policies must be positive and sum to 1, got {row} and {column}.")
    log_x, log_y = np.log(starts[0]), np.log(starts[1])
    rows, columns = np.empty((steps + 1, len(log_x))), np.empty((steps + 1, len(log_y)))
    rows[0], columns[0] = starts
    for t in range(1, steps + 1):
        x, y = rows[t - 1], columns[t - 1]
        log_x = log_x + step * (a @ y)
        rows[t] = _softmax(log_x)
        log_y = log_y - step * ((rows[t] if alternating else x) @ a)
        columns[t] = _softmax(log_y)
    count = np.arange(1, steps + 2)[:, None]
    mean_rows, mean_columns = np.cumsum(rows, axis=0) / count, np.cumsum(columns, axis=0) / count
    return Learning(
        rows, columns, duality_gap(a, rows, columns), duality_gap(a, mean_rows, mean_columns)
    )


def _softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())
