"""Confidence sequences, Holm, the interquartile mean, the smallest detectable effect."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from freezetag.estimators import bootstrap, intervals
from freezetag.estimators.confidence_sequence import confidence_sequence, sequential_mean
from freezetag.estimators.detectable import (
    smallest_detectable_effect,
    smallest_detectable_rate,
    units_needed,
)
from freezetag.estimators.holm import holm
from freezetag.estimators.iqm import interquartile_mean, iqm


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_sequence_covers_at_all_times_at_once(p: float) -> None:
    rng, lost, alarms, runs = np.random.default_rng(4), 0, 0, 30
    for _ in range(runs):
        x = (rng.random(120) < p).astype(float)
        low, high = confidence_sequence(x, 0, 1)
        lost += bool(((low > p) | (high < p)).any())
        alarms += sequential_mean(x, 0, 1).p_above(p) <= 0.05  # its best moment counts
    assert lost / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)
    assert alarms / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_a_fixed_interval_read_at_every_step_does_not_cover() -> None:
    rng, lost, runs = np.random.default_rng(4), 0, 60
    for _ in range(runs):
        x = rng.random(200)
        lost += any(
            not e.low <= 0.5 <= e.high
            for e in (intervals.student_t(x[:t]) for t in range(10, 201, 5))
        )
    assert lost / runs > 0.15


def test_the_sequence_shrinks_and_is_sharper_than_bernstein() -> None:
    x = np.random.default_rng(0).beta(2, 8, size=400)
    low, high = confidence_sequence(x, 0, 1)
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()
    width = high[-1] - low[-1]
    bernstein = intervals.empirical_bernstein(x, 0, 1)
    assert width < bernstein.high - bernstein.low
    e, shifted = sequential_mean(x, 0, 1), sequential_mean(10 * x - 5, -5, 5)
    assert shifted.low == pytest.approx(10 * e.low - 5, abs=0.02)
    assert e.p_above(e.low - 0.002) <= 0.025
    assert e.p_above(e.low + 0.004) >= 0.025
    assert e.p_below(e.high + 0.002) <= 0.025


def test_a_mean_that_moves_is_said_to_move() -> None:
    e = sequential_mean([0.0] * 100 + [1.0] * 900, 0, 1)
    assert "moved" in e.note
    assert (e.low, e.high) == (0, 1)
    assert e.p_above(0.01) == 1
    assert math.isnan(sequential_mean([math.nan], 0, 1).value)
    with pytest.raises(ValueError, match="outside the stated range"):
        confidence_sequence([2.0], 0, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_scipys_neighbourly_definition(p: list[float]) -> None:
    adjusted, m = holm(p), len(p)
    order = np.argsort(p, kind="stable")
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (m - rank) * p[i]))
        assert adjusted[i] == pytest.approx(running)
    assert (adjusted >= np.asarray(p) - 1e-15).all()


def test_holm_worked_example_and_missing_tests() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.01, math.nan, 0.04]), [0.02, math.nan, 0.04])
    assert holm([]).size == 0
    with pytest.raises(ValueError, match=r"0\.\.1"):
        holm([1.5])


def test_holm_keeps_false_alarms_of_fifteen_headlines() -> None:
    p = np.random.default_rng(1).random((2000, 15))
    family = np.mean([holm(row).min() <= 0.05 for row in p])
    assert 0.035 <= family <= 0.065


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_iqm_is_scipys_trimmed_mean(x: list[float]) -> None:
    assert iqm(x) == pytest.approx(stats.trim_mean(x, 0.25), abs=1e-9)


def test_interquartile_mean_covers() -> None:
    rng, hits, runs = np.random.default_rng(5), 0, 150
    shift = np.array([0.0, 1.0, 2.0])
    truth = float(iqm((rng.normal(size=(200_000, 3)) + shift).ravel()))
    for _ in range(runs):
        e = interquartile_mean(rng.normal(size=(15, 3)) + shift, resamples=500)
        hits += e.low <= truth <= e.high
    assert 0.90 <= hits / runs <= 0.99
    assert "3 tasks" in e.note
    assert interquartile_mean([]).n == 0


def test_the_smallest_detectable_effect_is_found_four_times_in_five() -> None:
    rng, found, runs = np.random.default_rng(6), 0, 600
    effect = (stats.t.ppf(0.975, 19) + stats.t.ppf(0.8, 19)) / math.sqrt(20)
    for _ in range(runs):
        found += intervals.student_t(rng.normal(effect, 1, size=20)).low > 0
    assert 0.75 <= found / runs <= 0.87
    x = rng.normal(0, 1, size=20)
    assert smallest_detectable_effect(x) == pytest.approx(effect * x.std(ddof=1))
    assert smallest_detectable_effect([1.0]) == math.inf
    assert smallest_detectable_rate(299) <= 0.01 < smallest_detectable_rate(298)
    assert units_needed(1.0, 0.5) == pytest.approx(33, abs=1)


def test_bootstrap_and_iqm_agree_where_they_must() -> None:
    x = np.random.default_rng(7).normal(size=40)
    assert interquartile_mean(x).value == pytest.approx(bootstrap.statistic(x, iqm).value)
