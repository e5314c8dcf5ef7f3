"""Exact solvers of small worlds, against the enumeration of every policy and against rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core.errors import UserError
from freezetag.planning.solvers.rational import evaluate_exact, solve_exact
from freezetag.planning.solvers.solution import Solution
from freezetag.planning.solvers.solve import RESIDUAL, evaluate, solve_dense

HALF = Fraction(1, 2)


def world(seed: int, s: int, a: int, mask: bool = False) -> tuple[np.ndarray, ...]:
    """A random world with some certain and some impossible moves."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(s, 0.3), size=(s, a))
    p[rng.random((s, a)) < 0.3] = np.eye(s)[rng.integers(s)]
    allowed = np.ones((s, a), bool)
    if mask:
        allowed = rng.random((s, a)) < 0.6
        allowed[np.arange(s), rng.integers(a, size=s)] = True
    return p, rng.normal(size=(s, a)), allowed


def rational_world(seed: int, s: int, a: int) -> tuple[list, list]:
    """Rows in eighths and rewards in thirds: small numbers, so that ties are common."""
    rng = np.random.default_rng(seed)
    cuts = rng.multinomial(8, np.full(s, 1 / s), size=(s, a))
    p = [[[Fraction(int(x), 8) for x in row] for row in rows] for rows in cuts]
    r = [[Fraction(int(x), 3) for x in row] for row in rng.integers(-1, 2, size=(s, a))]
    return p, r


def floats(nested: list) -> np.ndarray:
    return np.array(nested, dtype=object).astype(float)


def assert_sound(found: Solution, p: np.ndarray, r: np.ndarray, allowed: np.ndarray, g: float):
    """What a Solution says of itself, taken afresh in extended precision."""
    exact = np.longdouble
    q = r.astype(exact) + exact(g) * np.einsum("sat,t->sa", p.astype(exact), found.value)
    q = np.where(allowed, q, -np.inf)
    residual = float(np.abs(q.max(axis=1) - found.value).max())
    slack = 1e-14 * max(1.0, np.abs(found.value).max())
    assert abs(found.residual - residual) <= slack
    assert found.residual <= RESIDUAL * max(1.0, np.abs(found.value).max())
    assert found.optimal[~allowed].sum() == 0
    assert (found.q[~allowed] == -np.inf).all()
    assert (found.policy == found.optimal.argmax(axis=1)).all()


@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.9, 0.99, 0.9999]))
@settings(max_examples=40, deadline=None)
def test_no_policy_is_worth_more(seed: int, discount: float) -> None:
    p, r, allowed = world(seed, 3, 3, mask=True)
    found = solve_dense(p, r, discount, allowed)
    assert_sound(found, p, r, allowed, discount)
    best = np.full(3, -np.inf)
    for policy in np.ndindex(3, 3, 3):
        if allowed[np.arange(3), policy].all():
            best = np.maximum(best, evaluate(p, r, discount, np.array(policy)))
    # The enumeration has rounding errors of its own.
    assert np.abs(found.value - best).max() <= 2 * found.bound


@given(st.integers(0, 10**6), st.sampled_from([HALF, Fraction(9, 10), Fraction(99, 100)]))
@settings(max_examples=40, deadline=None)
def test_floats_agree_with_rationals(seed: int, discount: Fraction) -> None:
    p, r = rational_world(seed, 4, 3)
    exact = solve_exact(p, r, discount)
    found = solve_dense(floats(p), floats(r), float(discount))
    assert np.abs(found.value - floats(exact.value)).max() <= found.bound
    sets = np.zeros((4, 3), bool)
    for s, actions in enumerate(exact.optimal):
        sets[s, list(actions)] = True
    assert (found.optimal == sets).all()
    assert evaluate_exact(p, r, discount, exact.policy) == exact.value


def test_the_exact_optimum_solves_bellmans_equation_and_beats_every_policy() -> None:
    p, r = rational_world(7, 3, 3)
    discount = Fraction(9, 10)
    exact = solve_exact(p, r, discount)
    for s in range(3):
        q = [
            r[s][a] + discount * sum(map(lambda x, v: x * v, p[s][a], exact.value))
            for a in range(3)
        ]
        assert exact.value[s] == max(q)
        assert list(exact.q[s]) == q
    for policy in np.ndindex(3, 3, 3):
        assert all(
            v <= best
            for v, best in zip(evaluate_exact(p, r, discount, policy), exact.value, strict=True)
        )


def test_two_states_by_hand() -> None:
    # State 0: wait for 1 a step for ever (1 / (1 - .9) = 10), or leap to state 1, which pays 2
    # once and ends up in state 0: v1 = 2 + .9 * 10 = 11, so leaping is worth .9 * 11 = 9.9.
    p = [[[1, 0], [0, 1]], [[1, 0], [1, 0]]]
    r = [[1, 0], [2, 2]]
    exact = solve_exact(p, r, Fraction(9, 10))
    assert exact.value == (10, 11)
    assert exact.q == ((10, Fraction(99, 10)), (11, 11))
    assert exact.optimal == ((0,), (0, 1))
    assert solve_exact(p, r, Fraction(9, 10), [[False, True], [True, True]]).policy == (1, 0)


@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99, 0.999])
def test_planted_ties_are_all_found_and_do_not_cycle(discount: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        p, r, _ = world(int(rng.integers(10**6)), 6, 3)
        # Actions 3, 4, 5 are copies of 0, 1, 2; their rows are summed in another order.
        order = rng.permutation(3)
        p2, r2 = np.concatenate([p, p[:, order]], axis=1), np.concatenate([r, r[:, order]], axis=1)
        found = solve_dense(p2, r2, discount)
        assert (found.optimal[:, 3:] == found.optimal[:, :3][:, order]).all()
        assert (found.policy < 3).all()
    everything = solve_dense(p, np.ones((6, 3)), discount)  # every action is optimal
    assert everything.optimal.all()
    assert np.abs(everything.value - 1 / (1 - discount)).max() <= everything.bound


def test_an_action_that_is_worse_by_more_than_the_tolerance_is_no_tie() -> None:
    p, r, _ = world(5, 5, 2)
    p[:, 1], r[:, 1] = p[:, 0], r[:, 0] - 1e-9
    found = solve_dense(p, r, 0.9)
    assert found.tolerance < 1e-10
    assert found.optimal.tolist() == [[True, False]] * 5


def test_the_bound_pays_for_rows_that_sum_to_one_only_nearly() -> None:
    # One state, reward 1: V* = 1 / (1 - .99 (1 + 1e-10)), which is 1e-6 more than 100.
    found = solve_dense([[[1 + 1e-10]]], [[1.0]], 0.99)
    true = 1 / (1 - Fraction(0.99) * Fraction(1 + 1e-10))
    assert abs(float(Fraction(float(found.value[0])) - true)) <= found.bound < 1e-9


def test_evaluate_takes_mixed_policies() -> None:
    p, r, _ = world(1, 4, 3)
    law = np.random.default_rng(0).dirichlet(np.ones(3), size=4)
    value = evaluate(p, r, 0.9, law)
    again = (law * (r + 0.9 * p @ value)).sum(axis=1)
    assert np.abs(value - again).max() < 1e-13


def test_what_is_not_allowed_may_be_anything() -> None:
    p, r, _ = world(2, 3, 2)
    p[1, 1], r[1, 1] = np.nan, np.nan
    allowed = np.array([[True, True], [True, False], [True, True]])
    found = solve_dense(p, r, 0.9, allowed)
    assert np.isfinite(found.value).all()
    with pytest.raises(UserError, match="reward is nan in state 1, action 1"):
        solve_dense(p, r, 0.9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, r, m: p.__setitem__((1, 0, 2), 0.9), r"state 1 \(down\), action 0 \(work\) sum"),
        (
            lambda p, r, m: p.__setitem__((2, 1), [1.5, -0.5, 0]),
            r"-0.5 at entry 1 of state 2 \(off",
        ),
        (
            lambda p, r, m: p.__setitem__((0, 1, 0), np.nan),
            r"nan at entry 0 of state 0 \(up\), act",
        ),
        (
            lambda p, r, m: r.__setitem__((0, 1), np.nan),
            r"reward is nan in state 0 \(up\), action 1",
        ),
        (
            lambda p, r, m: r.__setitem__((2, 0), np.inf),
            r"reward is inf in state 2 \(off\), action 0",
        ),
        (lambda p, r, m: m.__setitem__(1, False), r"state 1 \(down\) allows no action"),
    ],
)
def test_a_bad_entry_is_named(change, words: str) -> None:
    p, r, allowed = np.full((3, 2, 3), 1 / 3), np.zeros((3, 2)), np.ones((3, 2), bool)
    change(p, r, allowed)
    with pytest.raises(UserError, match=words):
        solve_dense(p, r, 0.9, allowed, states=("up", "down", "off"), actions=("work", "stop"))


@pytest.mark.parametrize("discount", [0.0, 1.0, -1.0, 2.0, float("nan"), None, "0.9"])
def test_a_discount_outside_0_1_is_refused(discount) -> None:
    with pytest.raises(UserError, match="discount must lie strictly between 0 and 1"):
        solve_dense(np.ones((1, 1, 1)), np.zeros((1, 1)), discount)


def test_wrong_shapes_are_refused() -> None:
    p, r, _ = world(0, 3, 2)
    with pytest.raises(UserError, match=r"transition must be \[S, A, S\]"):
        solve_dense(p[:, :, :2], r, 0.9)
    with pytest.raises(UserError, match="allowed must be bool"):
        solve_dense(p, r, 0.9, np.ones((3, 2)))
    with pytest.raises(UserError, match="2 names for 3 states"):
        solve_dense(p, r, 0.9, states=["a", "b"])
    with pytest.raises(UserError, match="policy holds 2; actions are 0 to 1"):
        evaluate(p, r, 0.9, np.array([0, 1, 2]))
    with pytest.raises(UserError, match="rows of probabilities"):
        evaluate(p, r, 0.9, np.ones((3, 2)))


def test_a_discount_so_near_1_that_no_bound_holds_is_refused() -> None:
    p = np.full((2, 1, 2), 0.5)
    p[0, 0, 0] += 1e-12
    with pytest.raises(UserError, match="is not below 1, so no bound holds"):
        solve_dense(p, np.ones((2, 1)), 1 - 1e-13)


@pytest.mark.parametrize(
    ("p", "r", "g", "words"),
    [
        ([[[1]]], [[0.1]], HALF, "reward in state 0, action 0 is 0.1. Give a Fraction"),
        ([[[HALF]]], [[0]], HALF, "state 0, action 0 must be 1 numbers .* sum of 1/2"),
        ([[[1]]], [[0]], Fraction(1), "discount must lie strictly between 0 and 1, got 1"),
        ([[[1]]], [[0]], 0.5, "discount is 0.5"),
    ],
)
def test_rationals_refuse_what_is_not_exact(p, r, g, words: str) -> None:
    with pytest.raises(UserError, match=words):
        solve_exact(p, r, g)
