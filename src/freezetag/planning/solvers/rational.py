"""Small worlds in exact rationals: for theorems at a boundary, where a float could fall on either
side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from freezetag.planning.solvers.check import ProblemError

Number = Fraction | int
Rows = Sequence[Sequence[Sequence[Number]]]


@dataclass(frozen=True)
class ExactSolution:
    """The optimum itself: nothing is rounded, so ties are equalities."""

    value: tuple[Fraction, ...]  # [S]
    q: tuple[tuple[Fraction | None, ...], ...]  # [S, A], None where not allowed
    optimal: tuple[tuple[int, ...], ...]  # [S], all optimal actions of each state, ascending
    policy: tuple[int, ...]  # [S], the first of them
    iterations: int


def solve_exact(
    transition: Rows,
    reward: Sequence[Sequence[Number]],
    discount: Fraction,
    allowed: Sequence[Sequence[bool]] | None = None,
) -> ExactSolution:
    """The optimal values and argmax sets as fractions, by policy iteration and elimination.

    `transition` [S, A, S], rows sum to exactly 1; `reward` [S, A]; `allowed` [S, A]; all entries
    and the discount are `Fraction` or int: a float is refused, as 0.1 is not a tenth. An action is
    left only for a better one, so it ends. Meant for tens of states: digits grow with S.
    Raises ProblemError for what is not a problem.
    """
    p, r, may, gamma = _checked(transition, reward, discount, allowed)
    policy = [actions[0] for actions in may]
    iterations = 0
    while True:
        iterations += 1
        value = _policy_value(p, r, policy, gamma)
        q = [
            {
                a: r[s][a] + gamma * sum(x * v for x, v in zip(p[s][a], value, strict=True) if x)
                for a in actions
            }
            for s, actions in enumerate(may)
        ]
        best = [max(row.values()) for row in q]
        better = [
            policy[s] if row[policy[s]] == best[s] else min(a for a in row if row[a] == best[s])
            for s, row in enumerate(q)
        ]
        if better == policy:
            break
        policy = better
    optimal = tuple(tuple(a for a in row if row[a] == best[s]) for s, row in enumerate(q))
    return ExactSolution(
        value=tuple(value),
        q=tuple(tuple(row.get(a) for a in range(len(r[s]))) for s, row in enumerate(q)),
        optimal=optimal,
        policy=tuple(actions[0] for actions in optimal),
        iterations=iterations,
    )


def evaluate_exact(
    transition: Rows,
    reward: Sequence[Sequence[Number]],
    discount: Fraction,
    policy: Sequence[int],
) -> tuple[Fraction, ...]:
    """The value [S] of following `policy` [S], as fractions; the rest as for `solve_exact`."""
    used = [
        [a == chosen for a in range(len(row))] for row, chosen in zip(reward, policy, strict=True)
    ]
    p, r, _, gamma = _checked(transition, reward, discount, used)
    return tuple(_policy_value(p, r, policy, gamma))


def _policy_value(
    p: list[list[list[Fraction]]], r: list[list[Fraction]], policy: Sequence[int], gamma: Fraction
) -> list[Fraction]:
    """Solve (1 - gamma P) V = r by Gauss-Jordan elimination; its pivots cannot be 0, since each
    row's diagonal outweighs the rest of the row."""
    n = len(r)
    rows = [
        [Fraction(s == t) - gamma * p[s][policy[s]][t] for t in range(n)] + [r[s][policy[s]]]
        for s in range(n)
    ]
    for k in range(n):
        pivot = [x / rows[k][k] for x in rows[k]]
        rows[k] = pivot
        for s in range(n):
            if s != k and (factor := rows[s][k]):
                rows[s] = [x - factor * y if y else x for x, y in zip(rows[s], pivot, strict=True)]
    return [row[n] for row in rows]


def _checked(
    transition: Rows,
    reward: Sequence[Sequence[Number]],
    discount: Fraction,
    allowed: Sequence[Sequence[bool]] | None,
) -> tuple[list[list[list[Fraction]]], list[list[Fraction]], list[list[int]], Fraction]:
    """All as fractions, and the allowed actions of each state."""
    gamma = _fraction(discount, "discount")
    if not 0 < gamma < 1:
        raise ProblemError(f"discount must lie strictly between 0 and 1, got {gamma}.")
    n, width = len(reward), len(reward[0]) if reward else 0
    if not width or len(transition) != n or (allowed is not None and len(allowed) != n):
        raise ProblemError("transition [S, A, S], reward [S, A] and allowed [S, A] need equal S.")
    p, r, may = [], [], []
    for s in range(n):
        if len(reward[s]) != width or len(transition[s]) != width:
            raise ProblemError(f"state {s} needs {width} actions, as state 0 has.")
        here = [a for a in range(width) if allowed is None or allowed[s][a]]
        if not here:
            raise ProblemError(f"state {s} allows no action. Allow one, if only to stop.")
        p.append([[Fraction(0)] * n for _ in range(width)])
        r.append([Fraction(0)] * width)
        for a in here:
            place = f"state {s}, action {a}"
            r[s][a] = _fraction(reward[s][a], f"reward in {place}")
            p[s][a] = [_fraction(x, f"a probability of {place}") for x in transition[s][a]]
            if len(p[s][a]) != n or min(p[s][a]) < 0 or sum(p[s][a]) != 1:
                raise ProblemError(
                    f"probabilities of {place} must be {n} numbers from 0 that sum to 1, "
                    f"got a sum of {sum(p[s][a])}."
                )
        may.append(here)
    return p, r, may, gamma


def _fraction(number: Number, what: str) -> Fraction:
    if not isinstance(number, Fraction | int):
        raise ProblemError(
            f"{what} is {number!r}. Give a Fraction or an int, for floats are rounded."
        )
    return Fraction(number)
