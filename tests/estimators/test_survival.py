"""Censored times: scipy's Kaplan-Meier and log-rank, exact rates, coverage, false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from freezetag.estimators.survival import (
    escape_rate,
    first_hold,
    kaplan_meier,
    log_rank,
    median_time,
    rate,
    survival_at,
)


def watched(rng: np.random.Generator, scale: float, n: int, horizon: float) -> tuple:
    t = rng.exponential(scale, size=n)
    end = np.minimum(horizon, rng.uniform(0, 2 * horizon, size=n))
    return np.minimum(t, end), t <= end


def test_kaplan_meier_is_scipys() -> None:
    times, seen = watched(np.random.default_rng(0), 10, 60, 15)
    times = np.ceil(times)  # ties
    ours = kaplan_meier(times, seen)
    theirs = stats.ecdf(stats.CensoredData(times[seen], right=times[~seen])).sf
    keep = np.isin(theirs.quantiles, ours.times)
    np.testing.assert_allclose(ours.survival, theirs.probabilities[keep], atol=1e-12)
    interval = theirs.confidence_interval(method="log-log")
    for i in range(3, len(ours.times) - 3):
        e = survival_at(times, seen, float(ours.times[i]))
        assert e.value == pytest.approx(ours.survival[i])
        if e.method.startswith("Kaplan"):
            ends = [float(side.evaluate(ours.times[i])) for side in (interval.low, interval.high)]
            assert (e.low, e.high) == pytest.approx(ends)


def test_log_rank_is_scipys() -> None:
    rng = np.random.default_rng(1)
    a, b = watched(rng, 10, 40, 20), watched(rng, 16, 50, 20)
    theirs = stats.logrank(
        stats.CensoredData(a[0][a[1]], right=a[0][~a[1]]),
        stats.CensoredData(b[0][b[1]], right=b[0][~b[1]]),
    )
    ours = log_rank(*a, *b)
    assert abs(ours.z) == pytest.approx(abs(theirs.statistic))
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.03)
    assert ours.method == "9999 permutations"
    assert ours.p_earlier < ours.p_later  # a's events come earlier
    assert log_rank(*b, *a).z == pytest.approx(-ours.z)
    assert log_rank([], [], [], []).p_value == 1
    assert log_rank([5.0], [False], [5.0], [False]).p_value == 1


@pytest.mark.parametrize(("n", "runs", "most"), [(5, 1500, 0.06), (10, 150, 0.08), (25, 200, 0.08)])
def test_log_rank_false_alarms(n: int, runs: int, most: float) -> None:
    """With equal censoring, as all runs have one last round. By the normal law 9 % at 5 + 5."""
    rng, alarms = np.random.default_rng(2), 0
    for _ in range(runs):
        t = rng.exponential(10, size=(2, n))
        times, seen = np.minimum(t, 12), t <= 12
        alarms += log_rank(times[0], seen[0], times[1], seen[1]).p_value <= 0.05
    assert alarms / runs <= most


def test_log_rank_of_few_units_counts_all_exchanges() -> None:
    # Of the 20 ways to draw 3 of 6 units, one has the three earliest events.
    found = log_rank([1.0, 2.0, 3.0], [True] * 3, [4.0, 5.0, 6.0], [True] * 3)
    assert found.method == "exact permutation"
    assert (found.p_earlier, found.p_value) == (pytest.approx(1 / 20), pytest.approx(1 / 10))
    assert found.p_later == 1
    assert log_rank([4.0] * 4, [False] * 4, [4.0] * 4, [False] * 4).p_value == 1
    # The arm that is listed, and the one that is not, give the same.
    few, many = ([1.0, 2.0], [True] * 2), ([1.5, 3.0, 4.0, 5.0], [True] * 3 + [False])
    one, other = log_rank(*few, *many), log_rank(*many, *few)
    assert one.p_earlier == pytest.approx(other.p_later)
    assert one.z == pytest.approx(-other.z)
    many_units = np.arange(1.0, 402.0)
    assert log_rank(many_units, many_units > 0, many_units, many_units > 0).method == "normal"


def test_survival_without_censoring_is_exact() -> None:
    e = survival_at([3.0, 5.0, 12.0, 12.0], [True, True, False, False], 12.0)
    assert (e.method, e.value) == ("Clopper-Pearson", 0.5)
    intact = survival_at([12.0] * 20, [False] * 20, 12.0)
    assert (intact.value, intact.high) == (1, 1)
    assert intact.low == pytest.approx(0.025 ** (1 / 20))
    early = survival_at([4.0] * 3 + [12.0] * 20, [False] * 23, 12.0)
    assert early.n == 20
    assert "3 of 23 units censored" in early.note


def test_survival_and_median_cover() -> None:
    rng, runs = np.random.default_rng(3), 100
    at, median, alarms = 0, 0, 0
    for _ in range(runs):
        times, seen = watched(rng, 10, 60, 15)
        e = survival_at(times, seen, 8.0)
        at += e.low <= math.exp(-0.8) <= e.high
        alarms += e.p_above(math.exp(-0.8)) <= 0.05
        m = median_time(times, seen)
        median += m.low <= 10 * math.log(2) <= m.high
    assert at / runs >= 0.91
    assert median / runs >= 0.91
    assert alarms / runs <= 0.09


def test_a_median_that_few_reach_is_infinite() -> None:
    m = median_time([3.0] + [50.0] * 9, [True] + [False] * 9)
    assert m.value == m.high == math.inf
    assert m.p_above(40.0) < 0.05
    assert m.p_below(45.0) > 0.9
    assert m.p_above(60.0) == 1  # nobody was watched that long
    beyond = survival_at([3.0] + [50.0] * 9, [True] + [False] * 9, 60.0)
    assert math.isnan(beyond.value)
    assert beyond.low == 0
    assert median_time([], []).n == 0


@pytest.mark.parametrize("events", [0, 1, 7])
def test_rates_are_exact(events: int) -> None:
    e = rate(events, 50.0)
    assert e.high == pytest.approx(stats.chi2.ppf(0.975, 2 * events + 2) / 100)
    assert e.low == pytest.approx(stats.chi2.ppf(0.025, 2 * events) / 100 if events else 0)
    assert e.p_above(0.1) == pytest.approx(stats.poisson.sf(events - 1, 5.0))
    assert e.p_below(0.1) == pytest.approx(stats.poisson.cdf(events, 5.0))


def test_no_escape_in_n_runs_is_said_in_words() -> None:
    e = escape_rate([200.0] * 15, [False] * 15)
    assert (e.value, e.n) == (0, 15)
    assert "no event in 3000: rate at most 0.001" in e.note
    assert e.p_below(3 / 3000) == pytest.approx(math.exp(-3))
    assert rate(0, 0).n == 0
    assert rate(math.nan, 3).n == 0
    with pytest.raises(ValueError, match="whole number"):
        rate(0.5, 1)


def test_rate_covers() -> None:
    rng = np.random.default_rng(4)
    found = [rate(int(k), 40.0) for k in rng.poisson(4.0, size=400)]
    assert np.mean([e.low <= 0.1 <= e.high for e in found]) >= 0.94
    assert np.mean([e.p_above(0.1) <= 0.05 for e in found]) <= 0.07


def test_first_hold() -> None:
    condition = np.array(
        [
            [0, 1, 1, 0, 1, 1, 1, 0],
            [1, 1, 1, 1, 1, 1, 1, 1],
            [0, 1, 0, 1, 0, 1, 0, 1],
            [0, 0, 0, 0, 1, math.nan, 1, 1],
        ]
    )
    times, seen = first_hold(condition, hold=3)
    assert times.tolist() == [5, 1, 6, 6]
    assert seen.tolist() == [True, True, False, False]
    valid = np.arange(8) < np.array([6, 8, 2, 8])[:, None]
    times, seen = first_hold(condition, hold=3, valid=valid)
    assert times.tolist() == [4, 1, 0, 6]
    assert seen.tolist() == [False, True, False, False]
    assert first_hold(condition, hold=20)[1].sum() == 0
    with pytest.raises(ValueError, match="hold"):
        first_hold(condition, hold=0)
