"""Intervals: closed forms, duality of interval and p-value, missing data."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from freezetag.estimators import bootstrap, intervals
from freezetag.estimators.estimate import Estimate, exact, nothing

X = np.random.default_rng(3).beta(2, 5, size=24)

EVERY = {
    "clopper_pearson": intervals.clopper_pearson(7, 24),
    "empirical_bernstein": intervals.empirical_bernstein(np.repeat(X, 20), 0, 1),
    "student_t": intervals.student_t(X),
    "normal": intervals.from_standard_error(0.3, 0.04, 24),
    "bootstrap t, approximate": bootstrap.mean(X),
    "bootstrap BCa": bootstrap.statistic(X, np.median),
}


@pytest.mark.parametrize(("k", "n"), [(0, 20), (3, 20), (20, 20), (1, 299)])
def test_clopper_pearson_equals_scipys_exact_interval(k: int, n: int) -> None:
    ours = intervals.clopper_pearson(k, n)
    test = stats.binomtest(k, n)
    theirs = test.proportion_ci(0.95, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    for limit in (0.01, 0.2, 0.9):
        assert ours.p_above(limit) == pytest.approx(
            stats.binomtest(k, n, limit, "greater").pvalue, abs=1e-12
        )
        assert ours.p_below(limit) == pytest.approx(
            stats.binomtest(k, n, limit, "less").pvalue, abs=1e-12
        )


def test_zero_events_are_said_in_words_and_one_percent_needs_299() -> None:
    assert "at most 0.01 at 95 %" in intervals.clopper_pearson(0, 299).note
    assert intervals.clopper_pearson(0, 298).p_below(0.01) > 0.05
    assert intervals.clopper_pearson(0, 299).p_below(0.01) <= 0.05


def test_empirical_bernstein_is_the_printed_formula() -> None:
    x = np.array([0.0, 0.5, 1.0, 0.25] * 25)
    log = math.log(2 / 0.025)
    radius = math.sqrt(2 * x.var(ddof=1) * log / 100) + 7 * log / (3 * 99)
    e = intervals.empirical_bernstein(x, 0.0, 1.0)
    assert (e.low, e.high) == pytest.approx((x.mean() - radius, x.mean() + radius))
    doubled = intervals.empirical_bernstein(2 * x - 1, -1.0, 1.0)
    assert (doubled.low, doubled.high) == pytest.approx((2 * e.low - 1, 2 * e.high - 1))
    with pytest.raises(ValueError, match="outside the stated range"):
        intervals.empirical_bernstein(x + 1, 0, 1)


def test_student_t_equals_scipys() -> None:
    ours, theirs = intervals.student_t(X), stats.ttest_1samp(X, 0.2).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert ours.p_above(0.2) == pytest.approx(stats.ttest_1samp(X, 0.2, alternative="greater")[1])


@pytest.mark.parametrize("name", EVERY)
def test_interval_and_p_values_say_the_same(name: str) -> None:
    e = EVERY[name]
    assert e.low < e.value < e.high
    inside, tiny = 1e-3 * (e.high - e.low), 2e-3
    assert e.p_above(e.low - inside) <= 0.025 + tiny
    assert e.p_above(e.low + inside) >= 0.025 - tiny
    assert e.p_below(e.high + inside) <= 0.025 + tiny
    assert e.p_below(e.high - inside) >= 0.025 - tiny
    limits = np.linspace(e.low - 0.1, e.high + 0.1, 50)
    above, below = [e.p_above(v) for v in limits], [e.p_below(v) for v in limits]
    assert above == sorted(above)
    assert below == sorted(below, reverse=True)


@pytest.mark.parametrize("name", EVERY)
@given(factor=st.floats(-9, 9).filter(lambda f: abs(f) > 0.1), offset=st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_scaling_moves_interval_and_p_values_together(
    name: str, factor: float, offset: float
) -> None:
    e = EVERY[name]
    s = e.scaled(factor, offset)
    limit = e.value + 0.02  # away from ties, which rounding would break
    p, q = e.p_above(limit), e.p_below(limit)
    if factor < 0:
        p, q = q, p
    assert s.low <= s.value <= s.high
    assert s.p_above(factor * limit + offset) == pytest.approx(p, abs=2e-3)
    assert s.p_below(factor * limit + offset) == pytest.approx(q, abs=2e-3)
    assert e.negated().negated() == e


@pytest.mark.parametrize("empty", [[], [math.nan, math.nan]])
def test_no_usable_unit_is_an_answer_not_an_exception(empty: list[float]) -> None:
    found = [
        bootstrap.mean(empty),
        bootstrap.paired(empty, empty),
        bootstrap.statistic(empty, np.median),
        intervals.student_t(empty),
        intervals.empirical_bernstein(empty, 0, 1),
        intervals.proportion(empty),
        intervals.clopper_pearson(0, 0),
        nothing(),
    ]
    for e in found:
        assert math.isnan(e.value)
        assert (e.low, e.high, e.n) == (-math.inf, math.inf, 0)
        assert e.p_above(0) == e.p_below(0) == 1.0


def test_missing_units_are_dropped_and_counted() -> None:
    e = bootstrap.mean([1.0, math.nan, 2.0, 3.0, 5.0, 7.0])
    assert e.n == 5
    assert "1 of 6 units missing" in e.note
    p = bootstrap.paired([1.0, math.nan, 3, 4, 5], [0.0, 1, math.nan, 1, 2])
    assert p.n == 3


def test_an_infinite_unit_shows_nothing() -> None:
    e = bootstrap.mean([1.0, 2.0, math.inf, 0.0, 3.0])
    assert math.isnan(e.value)
    assert e.p_above(0) == e.p_below(0) == 1


def test_equal_units() -> None:
    unknown = bootstrap.mean([0.5] * 8)
    assert (unknown.method, unknown.low, unknown.high) == ("none", -math.inf, math.inf)
    assert unknown.p_above(0.4) == unknown.p_below(0.6) == 1
    known = bootstrap.mean([0.5, 0.5], deterministic=True)
    assert (known.method, known.p_above(0.4), known.p_below(0.4)) == ("deterministic", 0.0, 1.0)
    bounded = bootstrap.mean([0.0] * 100, bounds=(0.0, 1.0))
    assert bounded.low == 0
    assert bounded.high == pytest.approx(intervals.clopper_pearson(0, 100).high)
    assert bounded.p_below(0.05) == pytest.approx(0.95**100)
    alone = bootstrap.mean([0.5])
    assert alone.p_above(-1e9) == 1


def test_no_error_among_few_units_proves_no_more_than_equal_units_do() -> None:
    found = intervals.from_standard_error(0.3, 0.0, 2, df=1)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.p_above(0.2) == 1
    known = intervals.from_standard_error(0.3, 0.0, 2, df=1, deterministic=True)
    assert (known.low, known.high, known.p_above(0.2)) == (0.3, 0.3, 0)
    assert intervals.from_standard_error(0.3, 0.0, 1).low == -math.inf


@pytest.mark.parametrize("estimator", [bootstrap.mean, lambda x: bootstrap.statistic(x, np.mean)])
def test_a_p_value_is_not_held_up_by_the_number_of_resamples(estimator: Any) -> None:
    """2,000 resamples show none below 1/2,001, which times 21 headlines and some harms is no
    failure, however far away the limit lies."""
    found = estimator(np.random.default_rng(4).normal(size=32))
    error = 1 / np.sqrt(32)
    far = [found.p_above(found.value - k * error) for k in (3, 4, 6, 20, 200)]
    assert far == sorted(far, reverse=True)
    assert far[0] > 1e-4
    assert far[-1] < 1e-9
    # It falls on as the fourth power of the distance, slower than a normal law, and as much below.
    assert far[2] / far[3] == pytest.approx((20 / 6) ** 4, rel=0.1)
    assert found.p_below(found.value + 200 * error) < 1e-9


def test_an_estimate_without_tail_decides_at_its_own_level_only() -> None:
    e = Estimate(1.0, 0.5, 1.5, 10, "elsewhere")
    assert (e.p_above(0.4), e.p_above(0.6)) == (pytest.approx(0.025), 1.0)
    assert exact(1.0).p_above(math.nan) == 1.0


def test_rows_of_one_seed_are_one_unit() -> None:
    rows = bootstrap.by_seed([1.0, 3.0, 5.0, math.nan, math.nan], [7, 7, 8, 8, 9])
    np.testing.assert_array_equal(rows, [2.0, 5.0, math.nan])
    once, thrice = (
        bootstrap.mean(X),
        bootstrap.mean(bootstrap.by_seed(np.repeat(X, 3), np.repeat(np.arange(24), 3))),
    )
    assert (once.low, once.high, once.n) == pytest.approx((thrice.low, thrice.high, thrice.n))


def test_the_same_data_give_the_same_interval() -> None:
    assert bootstrap.mean(X) == bootstrap.mean(X.copy())
    assert bootstrap.statistic(X, np.median) == bootstrap.statistic(X, np.median)


@pytest.mark.parametrize("name", EVERY)
def test_estimates_cross_process_borders(name: str) -> None:
    e = EVERY[name].scaled(2.0)
    copy = pickle.loads(pickle.dumps(e))
    assert copy == e
    assert copy.p_above(e.value - 0.1) == e.p_above(e.value - 0.1)


def test_many_units_need_little_memory() -> None:
    x = np.random.default_rng(1).normal(size=20_000)
    e, t = bootstrap.mean(x, resamples=400), intervals.student_t(x)
    assert (e.low, e.high) == pytest.approx((t.low, t.high), abs=2e-3)


def test_a_ratio_of_sums_over_seeds() -> None:
    def ratio(x: np.ndarray, axis: int) -> np.ndarray:
        return x[..., 0].sum(axis) / x[..., 1].sum(axis)

    pairs = np.stack([X, 2 * X], axis=1)
    assert bootstrap.statistic(pairs, ratio).value == pytest.approx(0.5)
