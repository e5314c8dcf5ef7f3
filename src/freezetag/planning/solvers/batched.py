"""Thousands of small worlds of one shape, solved at once: policy iteration over stacked matrices.

In NumPy, since LAPACK over a stack of small matrices needs no compilation and is fast enough; a
batch of 1,000 button worlds takes less time than JAX takes to compile its first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from freezetag.planning.solvers.solution import Solution, guarantee
from freezetag.planning.solvers.solve import RESIDUAL, switched


@dataclass(frozen=True)
class BatchedSolution:
    """B solutions; fields as those of `Solution`, with one axis more in front."""

    value: Array  # [B, S]
    q: Array  # [B, S, A]
    policy: Array  # [B, S]
    optimal: Array  # [B, S, A] bool
    residual: Array  # [B]
    bound: Array  # [B]
    tolerance: Array  # [B]
    iterations: Array  # [B]
    method: str = "policy iteration, stacked LU"

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, b: int) -> Solution:
        """World b's own solution."""
        return Solution(
            value=self.value[b],
            q=self.q[b],
            policy=self.policy[b],
            optimal=self.optimal[b],
            residual=float(self.residual[b]),
            bound=float(self.bound[b]),
            tolerance=float(self.tolerance[b]),
            iterations=int(self.iterations[b]),
            method=self.method,
        )


def solve_batched(
    transition: Array,
    reward: Array,
    discount: Array | float,
    allowed: Array | None = None,
    *,
    states: Names | None = None,
    actions: Names | None = None,
) -> BatchedSolution:
    """The optimal values and the argmax sets of B small worlds of one shape, in one call.

    `transition` [B, S, A, S]; `reward` [B, S, A]; `discount` [B] or one number; `allowed` [S, A] or
    [B, S, A] bool. Each world is solved as by `solve_dense`, to the same residual, and is left
    alone once its policy stands. Raises ProblemError, which names the world, the state and the
    action; RunError if rounding keeps a residual above RESIDUAL.
    """
    p, r, gamma, rows = _checked(transition, reward, discount, allowed, states, actions)
    worlds, size, _ = r.shape
    policy = r.argmax(axis=2)
    value, q = np.empty((worlds, size)), np.empty(r.shape)
    iterations = np.zeros(worlds, np.int64)
    seen: list[set[bytes]] = [set() for _ in range(worlds)]
    open_ = np.arange(worlds)
    while len(open_):
        for b in open_:
            seen[b].add(policy[b].tobytes())
        iterations[open_] += 1
        everyone = np.arange(size)
        own = p[open_[:, None], everyone, policy[open_]]
        own_reward = r[open_[:, None], everyone, policy[open_]]
        value[open_] = _policy_values(own, own_reward, gamma[open_])
        q[open_] = r[open_] + gamma[open_, None, None] * _expected(p[open_], value[open_])
        better = switched(q[open_], policy[open_], value[open_])
        moved = [
            bool((new != policy[b]).any()) and new.tobytes() not in seen[b]
            for b, new in zip(open_, better, strict=True)
        ]
        policy[open_[moved]] = better[moved]
        open_ = open_[moved]
    proven = guarantee(value, q, gamma, rows, size)
    limit = RESIDUAL * np.maximum(1.0, np.abs(value).max(axis=1))
    if not (fine := proven.residual <= limit).all():
        b = int(np.argmin(fine))
        raise RunError(
            f"world {b} stopped at a residual of {proven.residual[b]:.3g}, above {limit[b]:.3g}. "
            "Rounding leaves no more; take a smaller discount or smaller rewards."
        )
    return BatchedSolution(
        value=value,
        q=q,
        policy=proven.optimal.argmax(axis=2),
        optimal=proven.optimal,
        residual=proven.residual,
        bound=proven.bound,
        tolerance=proven.tolerance,
        iterations=iterations,
    )


def _expected(p: Array, value: Array) -> Array:
    """Mean of `value` [B, S] after each pair of p [B, S, A, S]: [B, S, A]."""
    b, s, a, _ = p.shape
    return np.matmul(p.reshape(b, s * a, s), value[:, :, None]).reshape(b, s, a)


def _policy_values(p: Array, r: Array, gamma: Array) -> Array:
    """V = r + gamma p V for each of p [B, S, S], r [B, S]; solved and refined once."""
    matrix = np.eye(r.shape[1]) - gamma[:, None, None] * p
    value = np.linalg.solve(matrix, r[:, :, None])
    rest = r[:, :, None] + gamma[:, None, None] * np.matmul(p, value) - value
    return (value + np.linalg.solve(matrix, rest))[:, :, 0]


def _checked(
    transition: Array,
    reward: Array,
    discount: Array | float,
    allowed: Array | None,
    states: Names | None,
    actions: Names | None,
) -> tuple[Array, Array, Array, tuple[Array, Array]]:
    """As for one dense world, with the discounts [B] and the row sums' ends [B], [B].

    B worlds of S states are B S states to the checks, so that the world is in the state's name.
    """
    p, r = np.asarray(transition, np.float64), np.asarray(reward, np.float64)
    if r.ndim != 3 or p.shape != (*r.shape, r.shape[1]) or 0 in r.shape:
        raise ProblemError(
            f"transition must be [B, S, A, S] and reward [B, S, A], got {p.shape} and {r.shape}."
        )
    b, s, a = r.shape
    check_names((s, a), states, actions)
    gamma = np.asarray(discount, np.float64)
    if gamma.shape not in ((), (b,)):
        raise ProblemError(f"discount must be a number or [{b}], got shape {gamma.shape}.")
    gamma = np.broadcast_to(gamma, (b,))
    check_discount(float(gamma.min()))
    check_discount(float(gamma.max()))
    if allowed is not None and np.shape(allowed) == (s, a):
        allowed = np.broadcast_to(np.asarray(allowed), (b, s, a))
    if allowed is not None and np.shape(allowed) != (b, s, a):
        raise ProblemError(
            f"allowed must be bool [{s}, {a}] or [{b}, {s}, {a}], got shape {np.shape(allowed)}."
        )
    flat = None if allowed is None else np.reshape(allowed, (b * s, a))
    names = _Places(b, s, states)
    may = checked_allowed((b * s, a), flat, names)
    check_reward(r.reshape(b * s, a), may, names, actions)
    sums = check_rows(p.reshape(b * s, a, s), may, names, actions).reshape(b, s * a)
    check_contracts(float(gamma.max()), float(sums.max()))
    if not may.all():
        may = may.reshape(b, s, a)
        p, r = np.where(may[..., None], p, 0.0), np.where(may, r, -np.inf)
    return p, r, gamma, (sums.min(axis=1), sums.max(axis=1))


class _Places(Sequence[object]):
    """Names of the states of B worlds laid end to end, made when a complaint asks for one."""

    def __init__(self, worlds: int, states: int, names: Names | None):
        self._worlds, self._states, self._names = worlds, states, names

    def __len__(self) -> int:
        return self._worlds * self._states

    def __getitem__(self, index: Any) -> Any:
        world, state = divmod(index, self._states)
        name = "" if self._names is None else f" ({self._names[state]})"
        return f"world {world}, its state {state}{name}"
