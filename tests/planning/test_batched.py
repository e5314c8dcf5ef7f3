"""Many worlds in one call: each as if it had been solved alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core.errors import UserError
from freezetag.planning.solvers.batched import solve_batched
from freezetag.planning.solvers.solve import RESIDUAL, solve_dense


def batch(seed: int, b: int, s: int, a: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    allowed = rng.random((b, s, a)) < 0.7
    allowed[..., 0] = True
    p, r = rng.dirichlet(np.full(s, 0.3), size=(b, s, a)), rng.normal(size=(b, s, a))
    return p, r, rng.uniform(0.1, 0.99, size=b), allowed


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_each_world_is_solved_as_alone(seed: int, b: int, s: int, a: int) -> None:
    p, r, discount, allowed = batch(seed, b, s, a)
    found = solve_batched(p, r, discount, allowed)
    assert len(found) == b
    for i in range(b):
        alone, here = solve_dense(p[i], r[i], discount[i], allowed[i]), found[i]
        assert np.abs(here.value - alone.value).max() <= here.bound + alone.bound
        assert (here.optimal == alone.optimal).all()
        assert (here.policy == alone.policy).all()
        assert here.iterations == alone.iterations
        assert here.residual <= RESIDUAL * max(1.0, np.abs(here.value).max())
        assert (here.q[~allowed[i]] == -np.inf).all()


def test_one_discount_and_one_mask_serve_all() -> None:
    p, r, _, allowed = batch(0, 4, 3, 2)
    one = solve_batched(p, r, 0.9, allowed[0])
    each = solve_batched(p, r, np.full(4, 0.9), np.stack([allowed[0]] * 4))
    assert (one.value == each.value).all()
    assert (one.optimal == each.optimal).all()


def test_ties_are_visible_in_every_world() -> None:
    p, r, discount, _ = batch(1, 200, 5, 2)
    p, r = np.concatenate([p, p], axis=2), np.concatenate([r, r], axis=2)
    found = solve_batched(p, r, discount)
    assert (found.optimal[..., :2] == found.optimal[..., 2:]).all()
    assert (found.policy < 2).all()


def test_complaints_name_the_world() -> None:
    p, r, discount, _ = batch(2, 3, 4, 2)
    p[2, 1, 0, 0] += 0.5
    with pytest.raises(UserError, match=r"world 2, its state 1 \(d\)\), action 0 \(work\) sum to"):
        solve_batched(p, r, discount, states=list("udog"), actions=["work", "stop"])
    r[1, 3, 1] = np.nan
    with pytest.raises(UserError, match=r"reward is nan in state 7 .world 1, its state 3"):
        solve_batched(p, r, discount)
    with pytest.raises(UserError, match=r"discount must lie strictly between 0 and 1, got 1\.0"):
        solve_batched(p, r, np.array([0.5, 1.0, 0.5]))
    with pytest.raises(UserError, match=r"discount must be a number or \[3\]"):
        solve_batched(p, r, np.array([0.5, 0.5]))
    with pytest.raises(UserError, match=r"transition must be \[B, S, A, S\]"):
        solve_batched(p[0], r[0], 0.5)
