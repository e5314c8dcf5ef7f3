"""V(kappa): the RRPS curves, a convex solver, laws, coverage for all kappa at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from freezetag.estimators.robustness import KAPPAS, curve, cvar, rational, summaries, value_at

returns = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12).map(np.array)


def dual(u: np.ndarray, kappa: float) -> float:
    """max_l>=0 -l ln E_p exp(-u/l) - l kappa: by weak duality no q in the KL ball does better.

    (V is the mean under one such q, so equality proves both.)
    """
    scale = np.ptp(u)
    x = (u - u.min()) / scale

    def loss(log_l: float) -> float:
        size = math.exp(log_l)
        return size * float(logsumexp(-x / size) - math.log(len(x)) + kappa)

    found = minimize_scalar(loss, bounds=(-12, 12), method="bounded", options={"xatol": 1e-10})
    return float(u.min() - scale * found.fun)


def test_greenberg_has_the_published_values(rrps: tuple[list[str], np.ndarray]) -> None:
    names, table = rrps
    u = table[names.index("greenberg")]
    found = [value_at(u, kappa) for kappa in (0.0, 0.1, math.inf)]
    assert found == pytest.approx([288.15, 162.14, -3.65], abs=0.005)


@pytest.mark.parametrize("bot", ["greenberg", "russrocker4", "iocainebot"])
def test_whole_curves_equal_a_convex_solver(rrps: tuple[list[str], np.ndarray], bot: str) -> None:
    names, table = rrps
    u = table[names.index(bot)]
    for kappa in (0.1, 0.5, 1.0, 2.0):
        assert value_at(u, kappa) == pytest.approx(dual(u, kappa), abs=1e-6)
    assert value_at(u, 0) == pytest.approx(u.mean())
    assert value_at(u, math.inf) == u.min() == value_at(u, math.log(43))


def test_tails_differ_more_than_means(rrps: tuple[list[str], np.ndarray]) -> None:
    names, table = rrps
    curves = {
        bot: [value_at(table[names.index(bot)], kappa) for kappa in KAPPAS]
        for bot in ("greenberg", "russrocker4", "iocainebot")
    }
    gaps = np.ptp(list(curves.values()), axis=0)
    assert gaps[-1] > 4 * gaps[0]


@given(u=returns, kappas=st.tuples(st.floats(0, 5), st.floats(0, 5)))
@settings(max_examples=40, deadline=None)
def test_v_falls_in_kappa_and_rises_in_every_return(
    u: np.ndarray, kappas: tuple[float, float]
) -> None:
    small, large = sorted(kappas)
    slack = 1e-7 * max(1.0, np.ptp(u))
    assert u.min() - slack <= value_at(u, large) <= value_at(u, small) + slack
    assert value_at(u, small) <= u.mean() + slack
    better = u.copy()
    better[0] += 3.0
    assert value_at(better, small) >= value_at(u, small) - slack


@given(u=returns, share=st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_cvar_lies_between_worst_and_mean(u: np.ndarray, share: float) -> None:
    assert u.min() - 1e-9 <= cvar(u, share) <= u.mean() + 1e-6
    assert cvar(u, 1.0) == pytest.approx(u.mean(), abs=1e-9)


def test_cvar_takes_fractions_and_weights() -> None:
    assert cvar(np.arange(30.0)) == pytest.approx(1.0)
    assert cvar(np.arange(15.0)) == pytest.approx((0 * 1 + 1 * 0.5) / 1.5)
    assert cvar([5.0, -1.0], 0.5, p=[0.75, 0.25]) == pytest.approx(2.0)


def test_the_least_budgets_are_the_mean() -> None:
    u = np.array([0.0, 1.0, 5.0])
    for kappa in (5e-324, 1e-30, 1e-13):
        assert value_at(u, kappa) == pytest.approx(2.0, abs=2e-6)
    ends = value_at(u, 0.999e-12), value_at(u, 1.001e-12)
    assert ends[0] - ends[1] == pytest.approx(0, abs=1e-8)


def test_the_reference_population_counts() -> None:
    u, p = np.array([0.0, 1.0]), np.array([0.1, 0.9])
    assert value_at(u, 0, p) == pytest.approx(0.9)
    assert value_at(u, -math.log(0.1) + 1e-9, p) == 0
    q = 1 - value_at(u, 0.3, p)
    assert q * math.log(q / 0.1) + (1 - q) * math.log((1 - q) / 0.9) == pytest.approx(0.3)
    assert value_at(np.array([-9.0, 1.0]), math.inf, [0, 1]) == 1  # nobody meets the first
    with pytest.raises(ValueError, match="weights"):
        value_at(u, 0, [1.0])
    with pytest.raises(ValueError, match="budget"):
        value_at(u, -0.1)
    assert math.isnan(value_at([math.nan, 1.0], 0.1))


def test_rational_co_players() -> None:
    keep = rational([3.0, 1.0, -2.0, math.nan], [4.0, 4.0, -1.0, 4.0])
    assert keep.tolist() == [True, False, False, True]
    assert rational(1.0, 4.0, floor=-3.0)


def test_bounds_hold_for_all_kappa_at_once() -> None:
    rng, runs, misses = np.random.default_rng(8), 60, 0
    means = np.array([0.2, 0.5, 0.6, 0.9])
    truth = [value_at(means, kappa) for kappa in KAPPAS]
    for _ in range(runs):
        scores = [(rng.random(400) < mean).astype(float) for mean in means]
        found = curve(scores, 0, 1)
        misses += any(not e.low <= t <= e.high for e, t in zip(found, truth, strict=True))
    assert misses / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_p_values_are_those_of_the_interval_and_give_no_false_alarm() -> None:
    rng = np.random.default_rng(9)
    means = np.array([0.3, 0.5, 0.9])
    alarms = 0
    for _ in range(60):
        scores = [(rng.random(300) < mean).astype(float) for mean in means]
        alarms += curve(scores, 0, 1, kappas=[0.5])[0].p_above(value_at(means, 0.5)) <= 0.05
    assert alarms / 60 <= 0.1
    for e in (*curve(scores, 0, 1), *summaries(scores, 0, 1).values()):
        assert e.low <= e.value <= e.high
        assert e.p_above(e.low - 1e-4) <= 0.025 <= e.p_above(e.low + 1e-4)
        assert e.p_below(e.high + 1e-4) <= 0.025 <= e.p_below(e.high - 1e-4)


def test_a_co_player_never_met_spans_the_range() -> None:
    met = [np.full(500, 0.8), np.full(500, 0.9)]
    known = curve(met, 0, 1, kappas=[math.inf])[0]
    unknown = curve([*met, [math.nan]], 0, 1, kappas=[math.inf])[0]
    assert known.low > 0.7
    assert (unknown.low, unknown.value) == (0, 0)
    assert "1 co-players not measured" in unknown.note
    assert curve([[], []], 0, 1)[0].n == 0
    with pytest.raises(ValueError, match="outside the stated range"):
        curve([[2.0]], 0, 1)
