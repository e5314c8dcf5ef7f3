"""Sparse worlds of up to a million states: modified policy iteration, proven at the end."""

from __future__ import annotations

import numpy as np

from freezetag.core.arrays import Array
from freezetag.core.errors import RunError
from freezetag.planning.solvers._krylov import bicgstab
from freezetag.planning.solvers._sweep import Sweeps, flat_matrix, scanned, sweeps_of
from freezetag.planning.solvers.check import (
    ROW_TOLERANCE,
    Names,
    ProblemError,
    check_contracts,
    check_discount,
    check_names,
    check_reward,
    check_rows,
    check_successors,
    checked_allowed,
)
from freezetag.planning.solvers.solution import Solution, best_of, enclosed, judged

RESIDUAL = 1e-8

SWEEPS = 20
"""A policy whose span these many sweeps do not cut to ENOUGH mixes slowly."""

THOROUGH, ENOUGH = 0.01, 0.1
"""An evaluation aims at this share of the improvement's span; of a slow policy at the second."""

PRODUCTS = 40  # of one call of BiCGSTAB; measured best of 40, 100, 400 on grids
PATIENCE = 60  # improvements without a narrower span, until only plain sweeps are used
GIVE_UP = 3_000  # the same, until rounding is to blame


def solve_sparse(
    successors: Array,
    probability: Array,
    reward: Array,
    discount: float,
    allowed: Array | None = None,
    *,
    residual: float = RESIDUAL,
    states: Names | None = None,
    actions: Names | None = None,
    compiled: bool | None = None,
) -> Solution:
    """Values within a proven bound and argmax sets of a world with few successors a step.

    `successors` [S, A, K] int32 state numbers, repeats allowed; `probability` [S, A, K], rows sum
    to 1; `reward` [S, A], expected reward of one step; `allowed` [S, A] bool. `residual` is
    absolute. `compiled`: None takes numba where it is installed, False never, True insists.
    However V was found, its residual is then computed from the data by other code, and with it
    the bound; no approximation enters the guarantee.

    Modified policy iteration whose tests are of the span of TV - V (a constant error is removed
    by a shift), so that it needs tens of sweeps where a sup-norm test needs ln(1e-10)/ln(discount).
    A policy that SWEEPS sweeps do not settle, as on a grid, is handed to BiCGSTAB for a while.
    (Gauss-Seidel sweeps need more of them, for they lose the shift; the 15 sparse LUs of policy
    iteration on a grid of 1e5 states took 7 s.) A state where one action is proven to be the only
    optimal one is settled: later sweeps look at that action alone, the final residual at all.
    About 1.2 GB for 1e6 states, 8 actions and 8 successors, most of it the problem itself.
    Raises ProblemError for what is not a problem; RunError if rounding keeps the residual above
    what was asked. Source: Puterman 1994, sections 6.5 to 6.6; MacQueen 1966.
    """
    to, p, r, rows = checked_sparse(
        successors, probability, reward, discount, allowed, states, actions
    )
    if not residual > 0.0:
        raise ProblemError(f"residual must be above 0, got {residual!r}.")
    matrix = flat_matrix(to, p)
    with sweeps_of(to, p, r, discount, compiled) as sweeps:
        iteration = Iteration(sweeps, r, discount, rows, residual)
        while True:
            value = iteration.run()
            q = (matrix @ value).reshape(r.shape)
            q *= discount
            q += r
            found = judged(
                value,
                q,
                discount=discount,
                rows=rows,
                terms=to.shape[2],
                iterations=iteration.improvements,
                method=f"modified policy iteration, {sweeps.name}",
            )
            # Rows that sum to 1 only nearly move under a shift: then it goes on from here.
            if found.residual <= residual:
                return found


class Iteration:
    """Modified policy iteration that can be taken up again where it stopped."""

    def __init__(
        self,
        sweeps: Sweeps,
        reward: Array,
        discount: float,
        rows: tuple[float, float],
        wanted: float,
    ):
        self.improvements = 0
        self._sweeps, self._discount, self._rows, self._wanted = sweeps, discount, rows, wanted
        # One sweep from V = 0, for which nothing needs to be looked up.
        self._value, self._spare = best_of(reward), np.empty(len(reward))
        self._shift(float(self._value.min()), float(self._value.max()))
        self._best, self._since = np.inf, 0

    def run(self) -> Array:
        """A value [S] whose residual is at most what was asked, if rows sum to 1 exactly."""
        while True:
            low, high, changed = self._sweeps.improve(self._value, self._spare)
            # Where the best action leads by more than true ties can lie apart, it alone is optimal.
            below, above = enclosed(low, high, self._discount, self._rows)
            self._sweeps.settle(self._discount * (above - below))
            self._swap()
            self._shift(low, high)
            self.improvements += 1
            self._count(high - low)
            # TV - V shrinks by the discount in the next step, and the shift centres it.
            if self._discount * (high - low) <= 1.8 * self._wanted:
                return self._value.copy()
            self._evaluate(high - low, same=not changed)

    def _evaluate(self, span: float, same: bool) -> None:
        """Bring the value near that of the present policy."""
        floor = 0.2 * self._wanted
        first = np.inf
        for sweep in range(1, 4 * SWEEPS + 1):
            low, high = self._sweeps.follow(self._value, self._spare)
            self._swap()
            first = min(first, high - low)
            if high - low <= (floor if same else max(THOROUGH * span, floor)):
                break
            if sweep >= SWEEPS and high - low > ENOUGH * first:
                break
        self._shift(low, high)
        enough = floor if same else max(ENOUGH * span, floor)
        if high - low <= enough or self._since > PATIENCE:
            return
        self._sweeps.follow(self._value, self._spare)
        value, rest = bicgstab(
            self._sweeps.expect, self._value, self._spare - self._value, enough, PRODUCTS
        )
        self._value = value + (rest.min() + rest.max()) / 2 / (1.0 - self._discount)

    def _swap(self) -> None:
        self._value, self._spare = self._spare, self._value

    def _shift(self, low: float, high: float) -> None:
        """Add the constant that centres the next change around 0."""
        self._value += self._discount * (low + high) / 2 / (1.0 - self._discount)

    def _count(self, span: float) -> None:
        self._since = 0 if span < self._best else self._since + 1
        self._best = min(self._best, span)
        if self._since > GIVE_UP or not np.isfinite(span):
            raise RunError(
                f"the span of the residual stays at {self._best:.3g}, for {self._wanted:.3g}. "
                "Rounding leaves no more; ask for a larger residual or a smaller discount."
            )


def checked_sparse(
    successors: Array,
    probability: Array,
    reward: Array,
    discount: float,
    allowed: Array | None,
    states: Names | None,
    actions: Names | None,
) -> tuple[Array, Array, Array, tuple[float, float]]:
    """The problem as int32 and float64, r -inf where not allowed; the least and largest row sum.

    Nothing is copied that is in order already. Raises ProblemError.
    """
    check_discount(discount)
    to, p = np.asarray(successors), np.ascontiguousarray(probability, np.float64)
    r = np.ascontiguousarray(reward, np.float64)
    if to.ndim != 3 or to.shape != p.shape or to.shape[:2] != r.shape or not to.shape[2]:
        raise ProblemError(
            "successors and probability must be [S, A, K] and reward [S, A], "
            f"got {to.shape}, {p.shape} and {r.shape}."
        )
    if not np.issubdtype(to.dtype, np.integer):
        raise ProblemError(f"successors are state numbers (int32), got {to.dtype}.")
    check_names(r.shape, states, actions)
    to = np.ascontiguousarray(to)
    may = checked_allowed(r.shape, allowed, states)
    check_reward(r, may, states, actions)
    rows = scanned(to, p, ROW_TOLERANCE)
    if rows is None:  # the slow way, which names the row
        check_successors(to, may, states, actions)
        sums = check_rows(p, may, states, actions)
        rows = float(sums.min()), float(sums.max())
        if not may.all():
            to, p = np.where(may[..., None], to, 0), np.where(may[..., None], p, 0.0)
    check_contracts(discount, rows[1])
    if not may.all():
        r = np.where(may, r, -np.inf)
    return np.ascontiguousarray(to, np.int32), p, r, rows
