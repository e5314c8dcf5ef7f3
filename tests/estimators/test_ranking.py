"""Transitive and cyclic parts: the RRPS figures, planted cyclers, clones, false alarms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.estimators import ranking as rk

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0.0]])
ELO = np.subtract.outer(np.arange(6.0), np.arange(6.0))


def test_rrps_is_30_percent_cyclic_with_956_cycles(rrps: tuple[list[str], np.ndarray]) -> None:
    a = rk.antisymmetric(rrps[1])
    assert rk.cyclic_share(a) == pytest.approx(0.302, abs=5e-4)
    assert rk.three_cycles(a) == (956, 12341)


def test_pure_cases() -> None:
    assert rk.cyclic_share(RPS) == 1
    assert rk.three_cycles(RPS) == (1, 1)
    assert rk.cyclic_share(ELO) == pytest.approx(0, abs=1e-15)
    assert rk.three_cycles(ELO) == (0, 20)
    assert math.isnan(rk.cyclic_share(np.zeros((3, 3))))


@given(seed=st.integers(0, 10**6), n=st.integers(3, 8))
@settings(max_examples=40, deadline=None)
def test_the_parts_are_orthogonal_and_cycles_are_counted(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    a, w = rk.antisymmetric(rng.normal(size=(n, n))), rng.random(n) + 0.1
    w /= w.sum()
    t = rk.transitive_part(a, w)
    pair = np.outer(w, w)
    assert (t * (a - t) * pair).sum() == pytest.approx(0, abs=1e-12)
    assert rk.cyclic_share(a, w) == pytest.approx(1 - (t * t * pair).sum() / (a * a * pair).sum())
    round_trips = sum(
        (a[i, j] > 0) == (a[j, k] > 0) == (a[k, i] > 0)
        for i, j, k in itertools.combinations(range(n), 3)
    )
    assert rk.three_cycles(a) == (round_trips, math.comb(n, 3))


def test_clones_are_weighed_as_one() -> None:
    cloned = RPS[np.ix_([0, 0, 0, 1, 2], [0, 0, 0, 1, 2])]
    np.testing.assert_allclose(rk.clone_weights(cloned), [1 / 9] * 3 + [1 / 3] * 2)
    assert rk.cyclic_share(cloned) < 0.95
    assert rk.cyclic_share(cloned, rk.clone_weights(cloned)) == pytest.approx(1)
    # Three of nine meetings are wins of 1 in the equilibrium, with or without clones.
    assert rk.effective_diversity(RPS) == pytest.approx(1 / 3, abs=1e-6)
    assert rk.effective_diversity(cloned) == pytest.approx(1 / 3, abs=1e-6)
    assert rk.effective_diversity(ELO) == pytest.approx(0, abs=1e-4)
    assert rk.effective_diversity(7 * RPS) == pytest.approx(7 / 3, abs=1e-5)


def matches(truth: np.ndarray, repeats: int, noise: float, seed: int) -> np.ndarray:
    return truth + noise * np.random.default_rng(seed).normal(size=(repeats, *truth.shape))


def test_noise_makes_cycles_and_is_taken_out() -> None:
    runs, found = 60, []
    for seed in range(runs):
        found.append(rk.ranking(matches(ELO / 5, 12, 1.0, seed), resamples=200))
    assert np.mean([r.share for r in found]) > 0.05  # bare, noise looks like cycles
    assert abs(np.mean([r.cyclic.value for r in found])) < 0.02
    assert np.mean([r.cyclic.p_above(0.0) <= 0.05 for r in found]) <= 0.12
    assert np.mean([r.cyclic.low <= 0 <= r.cyclic.high for r in found]) >= 0.9


def test_planted_cyclers_are_found() -> None:
    truth = ELO / 5
    truth[3:, 3:] = 2 * RPS
    share = float(rk.cyclic_share(rk.antisymmetric(truth)))
    runs, hits = 60, 0
    for seed in range(runs):
        r = rk.ranking(matches(truth, 20, 0.5, seed), resamples=200)
        hits += r.cyclic.low <= share <= r.cyclic.high
        assert r.cyclic.p_above(0.05) <= 0.01
    assert hits / runs >= 0.85


def test_a_clear_top_stays_and_a_tied_one_changes() -> None:
    clear = rk.ranking(matches(ELO, 10, 0.3, 0))
    assert clear.order == (5, 4, 3, 2, 1, 0)
    assert clear.top_stays == 1
    tied = rk.ranking(matches(np.zeros((4, 4)), 10, 1.0, 0))
    assert tied.top_stays < 0.95


def test_few_or_missing_repeats() -> None:
    one = rk.ranking(ELO[None])
    assert one.share == pytest.approx(0, abs=1e-15)
    assert (one.cyclic.low, one.cyclic.high) == (-math.inf, math.inf)
    data = matches(ELO, 5, 0.1, 1)
    data[2, 0, 1] = math.nan
    assert "1 of 5 repeats missing" in rk.ranking(data).cyclic.note
    assert rk.ranking(np.full((2, 3, 3), math.nan)).cyclic.n == 0
    with pytest.raises(ValueError, match="square"):
        rk.antisymmetric(np.zeros((2, 3)))
