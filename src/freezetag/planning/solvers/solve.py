"""Small dense worlds, solved exactly: policy iteration with a direct solve."""

from __future__ import annotations

import numpy as np

from freezetag.core.arrays import Array
from freezetag.core.errors import RunError
from freezetag.planning.solvers.check import (
    Names,
    ProblemError,
    check_contracts,
    check_discount,
    check_names,
    check_reward,
    check_rows,
    checked_allowed,
)
from freezetag.planning.solvers.solution import UNIT, Solution, judged

RESIDUAL = 1e-12
"""A dense solution's residual is at most this, times the largest |V| where that is above 1."""


def solve_dense(
    transition: Array,
    reward: Array,
    discount: float,
    allowed: Array | None = None,
    *,
    states: Names | None = None,
    actions: Names | None = None,
) -> Solution:
    """The optimal values and the argmax sets of a small world, by Howard's policy iteration.

    `transition` [S, A, S], rows sum to 1; `reward` [S, A], expected reward of one step; `allowed`
    [S, A] bool; what stands at pairs that are not allowed is ignored. `states` and `actions` name
    them in complaints. The residual is at most RESIDUAL, relative to max(1, |V|). Ties do not make
    it cycle: an action is only left for one that is better by more than rounding.
    Raises ProblemError for what is not a problem; RunError if rounding keeps the residual above
    RESIDUAL, as a discount within 1e-12 of 1 may. Source: Howard 1960; Puterman 1994, section 6.4.
    """
    p, r, rows = checked_dense(transition, reward, discount, allowed, states, actions)
    # Where an action is not allowed, -inf: never the best.
    policy = r.argmax(axis=1)
    seen: set[bytes] = set()
    everyone = np.arange(len(r))
    while True:
        seen.add(policy.tobytes())
        value = _policy_value(p[everyone, policy], r[everyone, policy], discount)
        q = r + discount * (p @ value)
        improved = switched(q, policy, value)
        # A policy met again: what separates its successors is rounding, however large.
        if (improved == policy).all() or improved.tobytes() in seen:
            break
        policy = improved
    found = judged(
        value,
        q,
        discount=discount,
        rows=rows,
        terms=len(r),
        iterations=len(seen),
        method="policy iteration, dense LU",
    )
    check_reached(found, RESIDUAL)
    return found


def switched(q: Array, policy: Array, value: Array) -> Array:
    """`policy` [..., S] with the best action wherever that gains more in `q` [..., S, A] than the
    largest rounding error of q at values [..., S] of this size."""
    scale = np.maximum(1.0, np.abs(value).max(axis=-1))
    rounding = (q.shape[-2] + 4) * UNIT * 3.0 * scale
    better = q.argmax(axis=-1)
    gain = q.max(axis=-1) - np.take_along_axis(q, policy[..., None], axis=-1)[..., 0]
    return np.where(gain > np.expand_dims(rounding, -1), better, policy)


def evaluate(
    transition: Array,
    reward: Array,
    discount: float,
    policy: Array,
    *,
    states: Names | None = None,
    actions: Names | None = None,
) -> Array:
    """The exact value [S] of following `policy`: one direct solve, then one refinement.

    `policy` is [S] integer actions, or [S, A] probabilities of actions. `transition` [S, A, S] and
    `reward` [S, A] as for `solve_dense`; only the pairs that the policy uses must be in order.
    """
    shape = np.shape(reward)
    law = np.asarray(policy)
    if law.ndim == 1:
        if law.shape != shape[:1] or not np.issubdtype(law.dtype, np.integer):
            raise ProblemError(f"policy must hold one action number for each of {shape[0]} states.")
        if law.min() < 0 or law.max() >= shape[1]:
            raise ProblemError(f"policy holds {law.max()}; actions are 0 to {shape[1] - 1}.")
        law = np.eye(shape[1])[law]
    elif law.shape != shape or not (law.min() >= 0 and np.allclose(law.sum(axis=1), 1.0)):
        raise ProblemError(f"policy must be [S] actions, or [S, A] rows of probabilities {shape}.")
    p, r, _ = checked_dense(transition, reward, discount, law > 0, states, actions)
    r = np.where(law > 0, r, 0.0)
    return _policy_value(np.einsum("sa,sat->st", law, p), (law * r).sum(axis=1), discount)


def checked_dense(
    transition: Array,
    reward: Array,
    discount: float,
    allowed: Array | None,
    states: Names | None,
    actions: Names | None,
) -> tuple[Array, Array, tuple[float, float]]:
    """The problem in float64: p [S, A, S] with zeros and r [S, A] with -inf where not allowed,
    the least and the largest row sum. Raises ProblemError."""
    check_discount(discount)
    p = np.asarray(transition, np.float64)
    r = np.asarray(reward, np.float64)
    if r.ndim != 2 or p.shape != (*r.shape, r.shape[0]):
        raise ProblemError(
            f"transition must be [S, A, S] and reward [S, A], got {p.shape} and {r.shape}."
        )
    check_names(r.shape, states, actions)
    may = checked_allowed(r.shape, allowed, states)
    check_reward(r, may, states, actions)
    sums = check_rows(p, may, states, actions)
    check_contracts(discount, float(sums.max()))
    if not may.all():
        p, r = np.where(may[:, :, None], p, 0.0), np.where(may, r, -np.inf)
    return p, r, (float(sums.min()), float(sums.max()))


def check_reached(found: Solution, wanted: float) -> None:
    """Raise RunError if the residual is above `wanted`, relative to max(1, |V|)."""
    limit = wanted * max(1.0, float(np.abs(found.value).max()))
    if not found.residual <= limit:
        raise RunError(
            f"{found.method} stopped at a residual of {found.residual:.3g}, above {limit:.3g}. "
            "Rounding leaves no more; take a smaller discount or smaller rewards."
        )


def _policy_value(p: Array, r: Array, discount: float) -> Array:
    """V = r + discount p V, solved and refined once; p [S, S], r [S]."""
    matrix = np.eye(len(r)) - discount * p
    value = np.linalg.solve(matrix, r)
    # The residual is taken against the data, not against the rounded matrix.
    return value + np.linalg.solve(matrix, r + discount * (p @ value) - value)
