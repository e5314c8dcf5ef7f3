"""The answer of every solver: values, argmax sets, and how far they can be from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array

UNIT = float(np.finfo(np.float64).eps) / 2  # the relative error of one rounded operation


@dataclass(frozen=True)
class Solution:
    """What a solver found. S states, A actions; T is the Bellman operator, V* its fixed point.

    `optimal` contains **every** optimal action, so that ties are visible: it holds the actions
    within `tolerance` of the best `q`, and no optimal action can be further away. What an extra
    member may lose is at most twice the tolerance.
    """

    value: Array  # [S], utility: V
    q: Array  # [S, A], one step of V: r + discount * E V(next); -inf where not allowed
    policy: Array  # [S], the lowest-numbered action of `optimal`
    optimal: Array  # [S, A] bool, the argmax set
    residual: float  # sup |TV - V|, from `q`, which is computed anew from the data at the end
    bound: float  # sup |V - V*| is guaranteed to be at most this, rounding included
    tolerance: float  # the width of a tie in `q`, from the same guarantee
    iterations: int
    method: str


@dataclass(frozen=True)
class Guarantee:
    """What a value's own one-step look-ahead proves about it; over leading axes [...]."""

    residual: Array  # [...], sup |TV - V|
    bound: Array  # [...], at least sup |V - V*|
    tolerance: Array  # [...], at least the distance of true ties in q
    optimal: Array  # [..., S, A] bool, the actions within `tolerance` of the best


def guarantee(
    value: Array, q: Array, discount: Array, rows: tuple[Array, Array], terms: int
) -> Guarantee:
    """What `value` [..., S] and its freshly computed one-step `q` [..., S, A] prove.

    With m <= TV - V <= M the truth lies in V + [m, M] / (1 - discount), state by state; so true
    ties lie within discount (M - m) / (1 - discount) of each other in `q`. `rows` [...] are the
    least and the largest sum of a row of probabilities: the discount is taken times that sum, so
    that rows that sum to 1 only nearly are paid for. `terms` is the number of products in one sum
    of `q`: m and M are widened by the largest rounding error of such a sum.
    Source: MacQueen 1966; Puterman 1994, section 6.6; Higham 2002, section 3.1, for the rounding.
    """
    best = best_of(q)
    gap = best - value
    low, high = gap.min(axis=-1), gap.max(axis=-1)
    # A sum's error is relative to |r| + discount |V|, and |r| <= |q| + discount |V|.
    scale = np.abs(best).max(axis=-1) + 2.0 * np.abs(value).max(axis=-1)
    rounding = (terms + 4) * UNIT * scale
    below, above = enclosed(low - rounding, high + rounding, discount, rows)
    bound = np.maximum(above, -below)
    shift = rows[1] * (above - below) + (rows[1] - rows[0]) * bound
    tolerance = discount * shift + 2.0 * rounding
    least = best - np.expand_dims(tolerance, -1)
    return Guarantee(np.abs(gap).max(axis=-1), bound, tolerance, q >= least[..., None])


def enclosed(
    low: Array, high: Array, discount: Array, rows: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Shifts [below, above] with V + below <= V* <= V + above, from low <= TV - V <= high.

    V + c is an upper bound if T(V + c) <= V + c; T moves c by the discount times a row's sum.
    """
    slow, fast = 1.0 - discount * rows[0], 1.0 - discount * rows[1]
    below = low / np.where(low >= 0, slow, fast)
    above = high / np.where(high >= 0, fast, slow)
    return below, above


def best_of(q: Array) -> Array:
    """q.max(axis=-1), column by column: NumPy reduces a short last axis several times slower."""
    best = q[..., 0].copy()
    for action in range(1, q.shape[-1]):
        np.maximum(best, q[..., action], out=best)
    return best


def first_of(chosen: Array) -> Array:
    """chosen.argmax(axis=-1) of bools [..., A], column by column."""
    found = np.zeros(chosen.shape[:-1], np.int64)
    for action in range(chosen.shape[-1] - 1, 0, -1):
        found[chosen[..., action]] = action
    found[chosen[..., 0]] = 0
    return found


def judged(
    value: Array,
    q: Array,
    *,
    discount: float,
    rows: tuple[float, float],
    terms: int,
    iterations: int,
    method: str,
) -> Solution:
    """A Solution of one world with its `guarantee`."""
    proven = guarantee(value, q, discount, rows, terms)
    return Solution(
        value=value,
        q=q,
        policy=first_of(proven.optimal),
        optimal=proven.optimal,
        residual=float(proven.residual),
        bound=float(proven.bound),
        tolerance=float(proven.tolerance),
        iterations=iterations,
        method=method,
    )
