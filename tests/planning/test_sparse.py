"""Sparse solver: the proven bound against exact solutions, both kinds of sweeps, slow chains."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core.errors import RunError, UserError
from freezetag.planning.solvers import _kernels, _sweep, sparse
from freezetag.planning.solvers._krylov import bicgstab
from freezetag.planning.solvers.solve import solve_dense
from freezetag.planning.solvers.sparse import solve_sparse

KINDS = pytest.mark.parametrize("compiled", [True, False], ids=["numba", "scipy"])


def random_world(seed: int, s: int, a: int, k: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    successors = rng.integers(0, s, size=(s, a, k), dtype=np.int32)
    return successors, rng.dirichlet(np.ones(k), size=(s, a)), rng.normal(size=(s, a))


def grid(n: int, seed: int, goal: bool) -> tuple[np.ndarray, ...]:
    """n x n cells, four slippery moves; a reward everywhere, or one goal far from the start."""
    x, y = np.divmod(np.arange(n * n), n)
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    to = [np.clip(x + i, 0, n - 1) * n + np.clip(y + j, 0, n - 1) for i, j in moves]
    successors = np.stack([np.stack([to[a], to[a - 1], to[a - 3]], -1) for a in range(4)], 1)
    if goal:
        successors[-1] = n * n - 1
        reward = np.full((n * n, 4), -1.0)
        reward[-1] = 0.0
    else:
        reward = np.random.default_rng(seed).random((n * n, 1)).repeat(4, axis=1)
    p = np.broadcast_to([0.8, 0.1, 0.1], successors.shape)
    return successors.astype(np.int32), p, reward


def dense(successors: np.ndarray, probability: np.ndarray) -> np.ndarray:
    s, a, _ = successors.shape
    p = np.zeros((s, a, s))
    where = np.ogrid[:s, :a]
    np.add.at(p, (where[0][..., None], where[1][..., None], successors), probability)
    return p


def residual_of(value: np.ndarray, world: tuple[np.ndarray, ...], discount: float) -> float:
    successors, p, r = world
    return float(np.abs((r + discount * (p * value[successors]).sum(-1)).max(1) - value).max())


@KINDS
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(1, 5)),
    discount=st.sampled_from([0.3, 0.9, 0.99]),
)
@settings(max_examples=25, deadline=None)
def test_the_bound_holds_and_no_optimal_action_is_missed(
    compiled: bool, seed: int, shape: tuple[int, int, int], discount: float
) -> None:
    world = random_world(seed, *shape)
    allowed = np.random.default_rng(seed).random(shape[:2]) < 0.7
    allowed[:, 0] = True
    found = solve_sparse(*world, discount, allowed, compiled=compiled)
    exact = solve_dense(dense(*world[:2]), world[2], discount, allowed)
    assert found.residual <= 1e-8
    assert found.bound <= 1.01e-8 / (1 - discount)
    assert np.abs(found.value - exact.value).max() <= found.bound + exact.bound
    assert (found.optimal >= exact.optimal).all()
    extra = found.optimal & ~exact.optimal
    assert (exact.value[:, None] - exact.q)[extra].max(initial=0) <= 2.1 * found.tolerance
    assert (found.q[~allowed] == -np.inf).all()


@KINDS
@pytest.mark.parametrize("goal", [False, True])
def test_slow_chains(compiled: bool, goal: bool) -> None:
    world = grid(12, 4, goal)
    found = solve_sparse(*world, 0.99, compiled=compiled)
    exact = solve_dense(dense(*world[:2]), world[2], 0.99)
    assert residual_of(found.value, world, 0.99) <= 1e-8 + 1e-12
    assert np.abs(found.value - exact.value).max() <= found.bound + exact.bound
    assert (found.optimal >= exact.optimal).all()


@KINDS
def test_a_thousand_states_need_tens_of_sweeps_where_the_sup_norm_needs_thousands(
    compiled: bool,
) -> None:
    world = random_world(0, 1_000, 8, 8)
    found = solve_sparse(*world, 0.999, compiled=compiled)
    assert residual_of(found.value, world, 0.999) <= 1e-8 + 1e-12
    assert found.iterations < 30


def test_both_kinds_of_sweeps_do_the_same() -> None:
    world = random_world(1, 300, 5, 4)
    value = np.random.default_rng(1).normal(size=300)
    seen = []
    for compiled in (True, False):
        with _sweep.sweeps_of(*world, 0.95, compiled) as sweeps:
            best, out, mean, later = (np.empty(300) for _ in range(4))
            ends = sweeps.improve(value, best)
            again = sweeps.follow(value, out)
            sweeps.expect(value, mean)
            assert np.abs(best - out).max() < 1e-14  # the policy is greedy
            sweeps.settle(0.0)  # every state: from now on it is this policy alone
            assert sweeps.improve(best, later)[2] == 0 or not compiled
        seen.append(np.concatenate([best, out, mean, ends, again]))
    assert np.abs(seen[0] - seen[1]).max() < 1e-13


def test_bicgstab_solves_a_slow_policy_that_sweeps_do_not() -> None:
    world = grid(12, 4, goal=False)
    value, out = np.zeros(144), np.empty(144)
    with _sweep.sweeps_of(*world, 0.99, False) as sweeps:
        sweeps.improve(value, out)
        sweeps.follow(value, out)
        few = bicgstab(sweeps.expect, value, out - value, 1e-9, 10)
        found, rest = bicgstab(sweeps.expect, value, out - value, 1e-9, 400)
        low, high = sweeps.follow(found, out)
        assert np.abs(out - found - rest).max() < 1e-10
    assert np.ptp(few[1]) <= np.ptp(world[2][:, 0])
    assert high - low <= 1.1e-9


def test_chunks_on_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    world = random_world(2, 500, 4, 4)
    alone = solve_sparse(*world, 0.95, compiled=True)
    monkeypatch.setattr(_sweep, "ENTRIES_FOR_THREADS", 1)
    monkeypatch.setattr(_sweep, "ENTRIES_OF_A_CHUNK", 700)
    monkeypatch.setattr(_sweep, "cores", lambda: 3)
    shared = solve_sparse(*world, 0.95, compiled=True)
    assert (alone.value == shared.value).all()


def test_the_kernels_are_plain_python_too() -> None:
    successors, p, r = random_world(3, 6, 2, 3)
    value, best, policy = np.arange(6.0), np.empty(6), np.zeros(6, np.int32)
    own, lead = (successors[:, 0].copy(), p[:, 0].copy(), r[:, 0].copy()), np.zeros(6)
    data = (successors, p, r, 0.9, value)
    low, high, changed = _kernels.improve(*data, best, policy, *own, lead, 0, 6)
    q = r + 0.9 * (p * value[successors]).sum(-1)
    assert best == pytest.approx(q.max(1))
    assert policy.tolist() == q.argmax(1).tolist()
    assert lead == pytest.approx(np.abs(q[:, 0] - q[:, 1]))
    assert (low, high) == pytest.approx(((q.max(1) - value).min(), (q.max(1) - value).max()))
    assert changed == policy.sum()
    out = np.empty(6)
    assert _kernels.follow(*own, 0.9, value, out, 0, 6) == pytest.approx((low, high))
    assert out == pytest.approx(best)


@KINDS
def test_planted_ties_are_visible(compiled: bool) -> None:
    successors, p, r = random_world(4, 50, 3, 4)
    turned = (successors[:, :, ::-1], p[:, :, ::-1], r)
    world = [np.concatenate(pair, axis=1) for pair in zip((successors, p, r), turned, strict=True)]
    found = solve_sparse(*world, 0.95, compiled=compiled)
    assert (found.optimal[:, :3] == found.optimal[:, 3:]).all()
    assert (found.policy < 3).all()


@KINDS
def test_rows_that_sum_to_one_only_nearly_reach_the_residual(compiled: bool) -> None:
    successors, p, r = random_world(5, 40, 3, 4)
    p = p * (1 + 5e-10 * np.random.default_rng(0).choice([-1, 1], size=(40, 3, 1)))
    found = solve_sparse(successors, p, r + 100.0, 0.99, compiled=compiled)
    exact = solve_dense(dense(successors, p), r + 100.0, 0.99)
    assert found.residual <= 1e-8
    assert np.abs(found.value - exact.value).max() <= found.bound + exact.bound


def test_without_numba_it_takes_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(_sweep, "compiled_loops", _sweep.compiled_loops.__wrapped__)
    world = random_world(6, 20, 2, 3)
    assert solve_sparse(*world, 0.9).method.endswith("SciPy")
    with pytest.raises(UserError, match="numba is not installed"):
        solve_sparse(*world, 0.9, compiled=True)


def test_numba_without_a_folder_to_cache_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Numba:
        @staticmethod
        def njit(cache: bool = False, **_: object):
            def compiled(kernel):
                if cache:
                    raise RuntimeError("cannot cache function: no locator available")
                return kernel

            return compiled

    monkeypatch.setitem(sys.modules, "numba", Numba())
    assert _sweep.compiled_loops.__wrapped__()["follow"] is _kernels.follow


def test_settled_states_still_count_in_the_residual() -> None:
    # With a short horizon everything settles early; the proof looks at all actions again.
    world = random_world(11, 400, 6, 4)
    found = solve_sparse(*world, 0.3, compiled=True)
    assert residual_of(found.value, world, 0.3) == pytest.approx(found.residual, abs=1e-14)
    with _sweep.sweeps_of(*world, 0.3, True) as sweeps:
        out = np.empty(400)
        sweeps.improve(found.value, out)
        sweeps.settle(1e-6)
        # Were the world to change its mind, a settled state would not.
        before = out.copy()
        assert sweeps.improve(found.value, out)[2] == 0
        assert (out == before).all()


@KINDS
def test_what_is_not_allowed_may_be_anything(compiled: bool) -> None:
    successors, p, r = random_world(7, 10, 2, 3)
    allowed = np.ones((10, 2), bool)
    allowed[4, 1] = False
    clean = solve_sparse(successors, p, r, 0.9, allowed, compiled=compiled)
    successors[4, 1], p[4, 1], r[4, 1] = -7, np.nan, np.nan
    found = solve_sparse(successors, p, r, 0.9, allowed, compiled=compiled)
    assert (found.value == clean.value).all()


@KINDS
def test_a_residual_that_is_not_reached_is_said(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rounding lets the span wander before V is a fixed point of floats.
    monkeypatch.setattr(sparse, "GIVE_UP", 1)
    with pytest.raises(RunError, match="ask for a larger residual"):
        solve_sparse(*random_world(8, 300, 2, 3), 0.99999, residual=1e-300, compiled=compiled)


def test_what_is_given_is_not_changed() -> None:
    world = random_world(10, 4, 1, 2)
    before = [array.copy() for array in world]
    solve_sparse(*world, 0.9)
    assert all((x == y).all() for x, y in zip(world, before, strict=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t, p, r: p.__setitem__((1, 0, 0), 0.9),
            r"of state 1 \(down\), action 0 \(work\) sum",
        ),
        (lambda t, p, r: p.__setitem__((2, 1), [1.5, -0.5]), r"-0.5 at entry 1 of state 2 \(off\)"),
        (lambda t, p, r: p.__setitem__((0, 1, 0), np.nan), r"nan at entry 0 of state 0 \(up\)"),
        (
            lambda t, p, r: r.__setitem__((0, 1), np.nan),
            r"reward is nan in state 0 \(up\), action 1",
        ),
        (
            lambda t, p, r: t.__setitem__((2, 0, 1), 3),
            r"state 2 \(off\), action 0 \(work\) leads to",
        ),
        (
            lambda t, p, r: t.__setitem__((0, 0, 0), -1),
            r"state 0 \(up\), action 0 \(work\) leads to",
        ),
    ],
)
def test_a_bad_entry_is_named(change, words: str) -> None:
    data = np.zeros((3, 2, 2), np.int32), np.full((3, 2, 2), 0.5), np.zeros((3, 2))
    change(*data)
    with pytest.raises(UserError, match=words):
        solve_sparse(*data, 0.9, states=("up", "down", "off"), actions=("work", "stop"))


def test_wrong_arguments_are_refused() -> None:
    to, p, r = random_world(9, 3, 2, 2)
    with pytest.raises(UserError, match=r"successors and probability must be \[S, A, K\]"):
        solve_sparse(to, p[:, :, :1], r, 0.9)
    with pytest.raises(UserError, match="successors are state numbers"):
        solve_sparse(to.astype(float), p, r, 0.9)
    with pytest.raises(UserError, match="residual must be above 0"):
        solve_sparse(to, p, r, 0.9, residual=0.0)
    with pytest.raises(UserError, match="discount must lie"):
        solve_sparse(to, p, r, 1.0)
    with pytest.raises(UserError, match="state 1 allows no action"):
        solve_sparse(to, p, r, 0.9, np.array([[True] * 2, [False] * 2, [True] * 2]))
