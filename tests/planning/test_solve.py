"""Exact solvers of small worlds, against the enumeration of every policy and against rationals."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.planning.solve import evaluate, solve_dense


def world(seed: int, s: int, a: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(s), size=(s, a)), rng.normal(size=(s, a))


@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.9, 0.99]))
@settings(max_examples=20, deadline=None)
def test_no_policy_is_worth_more(seed: int, discount: float) -> None:
    p, r = world(seed, 3, 3)
    found = solve_dense(p, r, discount)
    best = np.max([evaluate(p, r, discount, np.array(pi)) for pi in np.ndindex(3, 3, 3)], axis=0)
    assert np.abs(found.value - best).max() <= found.bound + 1e-11
