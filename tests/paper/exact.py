"""An oracle in rational numbers: policy iteration without a single rounding."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from freezetag.core import Model, Reward


class Exact(NamedTuple):
    """Values and Q as fractions, by the names of states and actions."""

    value: Mapping[Any, Fraction]
    q: Mapping[tuple[Any, str], Fraction]

    def best(self, state: Any) -> set[str]:
        row = {action: q for (at, action), q in self.q.items() if at == state}
        return {action for action, q in row.items() if q == max(row.values())}


def solve(model: Model, reward: Reward, discount: Fraction) -> Exact:
    """The optimum of a model whose chances and rewards are integers or fractions."""
    allowed = {
        (s, a): {there: Fraction(p) for there, p in model.chances(s, a).items()}
        for s, row in zip(model.states, model.rows, strict=True)
        for a, pairs in zip(model.actions, row, strict=True)
        if pairs
    }
    paid = {
        (s, a): sum((p * Fraction(reward(s, t)) for t, p in then.items()), Fraction(0))
        for (s, a), then in allowed.items()
    }
    policy = {s: next(a for at, a in allowed if at == s) for s in model.states}
    while True:
        value = _evaluate(policy, allowed, paid, discount)
        q = {
            pair: paid[pair] + discount * sum(p * value[t] for t, p in then.items())
            for pair, then in allowed.items()
        }
        better = {s: max((a for at, a in q if at == s), key=lambda a, s=s: q[s, a]) for s in policy}
        if all(q[s, better[s]] == q[s, policy[s]] for s in policy):
            return Exact(value, q)
        policy = better


def _evaluate(policy: Any, allowed: Any, paid: Any, discount: Fraction) -> dict[Any, Fraction]:
    """V of a policy, by Gaussian elimination."""
    order = list(policy)
    rows = []
    for s in order:
        row = [Fraction(int(s == t)) - discount * allowed[s, policy[s]].get(t, 0) for t in order]
        rows.append([*row, paid[s, policy[s]]])
    for i in range(len(rows)):
        pivot = next(k for k in range(i, len(rows)) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(len(rows)):
            if k != i and rows[k][i]:
                factor = rows[k][i]
                rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    return {s: row[-1] for s, row in zip(order, rows, strict=True)}
