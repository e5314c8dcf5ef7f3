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


def ring(n: int) -> np.ndarray:
    """Each beats the next, all other matches are draws."""
    a = np.zeros((n, n))
    a[np.arange(n), np.arange(1, n + 1) % n] = 1
    return a - a.T


def ladder(n: int) -> np.ndarray:
    return -np.subtract.outer(np.arange(n), np.arange(n)) / (n - 1)


@pytest.mark.parametrize("repeats", [7, 10, 25, 100])
@pytest.mark.parametrize("n", [3, 5, 31, 43])
def test_pure_cycles_are_1_and_ladders_0_whatever_the_noise_and_repeats(
    n: int, repeats: int
) -> None:
    for truth, share in ((ring(n), 1.0), (ladder(n), 0.0)):
        clean = rk.ranking(np.stack([truth] * repeats), deterministic=True, resamples=2).cyclic
        assert (clean.low, clean.high) == (clean.value, clean.value)
        assert clean.value == pytest.approx(share, abs=1e-12)
        noisy = rk.ranking(matches(truth, repeats, 0.3, 0), resamples=2).cyclic
        assert noisy.value == pytest.approx(share, abs=0.04)
        assert noisy.low <= share <= noisy.high
        assert noisy.high - noisy.low <= 0.1


@pytest.mark.parametrize(("n", "change"), [(5, 1 / 6), (9, 1 / 28), (31, 1 / 435)])
@pytest.mark.parametrize("repeats", [7, 25])
def test_who_completes_a_cycle_adds_to_the_share(n: int, change: float, repeats: int) -> None:
    clean = rk.cyclic_change(np.stack([ring(n)] * repeats), deterministic=True)
    assert (clean.value, clean.low) == (pytest.approx(change), pytest.approx(change))
    noisy = rk.cyclic_change(matches(ring(n), repeats, 0.1, 0))
    assert noisy.value == pytest.approx(change, rel=0.5)
    assert noisy.low <= change <= noisy.high
    assert noisy.p_above(0) <= 0.01


def test_who_joins_a_ladder_changes_nothing() -> None:
    joined = rk.cyclic_change(matches(ladder(9), 12, 0.3, 0), player=4)
    assert joined.low <= 0 <= joined.high
    assert joined.high - joined.low < 0.1


def test_changes_from_nothing_to_nothing_are_covered() -> None:
    """Two others have no cycle: the change is a share, which is not below 0."""
    found = [rk.cyclic_change(matches(ladder(3), 50, 0.3, seed)) for seed in range(60)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.95


def test_equal_repeats_are_certain_only_where_the_caller_says_so() -> None:
    same = np.stack([ring(5)] * 10)
    unknown = rk.ranking(same).cyclic
    assert (unknown.value, unknown.low, unknown.high) == (pytest.approx(1), 0, 1)
    assert "nothing says" in unknown.note
    assert rk.ranking(same, deterministic=True).cyclic.p_above(0.9) == 0
    change = rk.cyclic_change(same)
    assert (change.low, change.high) == (-1, 1)
    # The agent has chance in it, the others are known to have none.
    noisy = same.copy()
    noisy[:, 0, 1:] += 0.1 * np.random.default_rng(0).normal(size=(10, 4))
    assert rk.cyclic_change(noisy).high == 1
    known = rk.cyclic_change(noisy, others_deterministic=True)
    assert 0.1 < known.low <= 1 / 6 <= known.high < 0.3


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 8),
    repeats=st.integers(1, 12),
    unit=st.sampled_from([1e-12, 1e-3, 1e9, -2.0]),
)
@settings(max_examples=60, deadline=None)
def test_shares_know_no_unit_no_order_and_stay_in_their_range(
    seed: int, n: int, repeats: int, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(n, n)) + rng.normal(size=(repeats, n, n)) * rng.choice([0, 0.3, 3])
    found, again = (rk.ranking(x, resamples=2).cyclic for x in (data, unit * data))
    order = rng.permutation(n)
    shuffled = rk.ranking(data[:, order][:, :, order], resamples=2).cyclic
    for other in (again, shuffled):
        got = (other.value, other.low, other.high)
        np.testing.assert_allclose(got, (found.value, found.low, found.high), atol=1e-6)
    assert 0 <= found.low <= found.high <= 1
    if not math.isnan(found.value):
        assert found.low <= found.value <= found.high
        assert 0 <= found.p_above(0.5) <= 1
    change = rk.cyclic_change(data)
    assert -1 <= change.low <= change.high <= 1


def test_p_values_agree_with_the_intervals() -> None:
    data = matches(ladder(6) + 0.5 * ring(6), 12, 0.5, 3)
    for found in (rk.ranking(data, resamples=2).cyclic, rk.cyclic_change(data)):
        assert found.p_above(found.low) == pytest.approx(0.025, abs=1e-6)
        assert found.p_below(found.high) == pytest.approx(0.025, abs=1e-6)
        assert found.p_above(found.low - 0.01) < 0.025 < found.p_above(found.low + 0.01)


def test_noise_makes_cycles_and_is_taken_out() -> None:
    found = [rk.ranking(matches(ELO / 5, 12, 1.0, seed), resamples=2) for seed in range(60)]
    assert np.mean([r.share for r in found]) > 0.05  # bare, noise looks like cycles
    assert np.mean([r.noise for r in found]) > 0.1
    assert np.mean([r.cyclic.value for r in found]) < 0.03
    assert np.mean([r.cyclic.p_above(0.0) <= 0.05 for r in found]) <= 0.12
    assert np.mean([r.cyclic.low <= 0 <= r.cyclic.high for r in found]) >= 0.9


TRUTHS = {
    "ladder": ladder(6),
    "ring": ring(6),
    "half": ladder(6) + 0.5 * ring(6),
    "one of three": np.pad(RPS, (0, 3)) + ladder(6),
}


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("repeats", [4, 12])
@pytest.mark.parametrize("noise", [0.3, 2.0])
def test_shares_and_changes_are_covered(name: str, repeats: int, noise: float) -> None:
    """A quick look; `docs/coverage.py` has many more cases and runs."""
    truth, runs = TRUTHS[name], 150
    share = float(rk.cyclic_share(truth))
    change = share - float(rk.cyclic_share(truth[1:, 1:]))
    inside = np.zeros(2)
    for seed in range(runs):
        data = matches(truth, repeats, noise, seed)
        for i, (of, value) in enumerate(
            ((rk.ranking(data, resamples=2).cyclic, share), (rk.cyclic_change(data), change))
        ):
            inside[i] += of.low - 1e-12 <= value <= of.high + 1e-12
    assert (inside / runs >= 0.9).all()


def test_planted_cyclers_are_found() -> None:
    truth = ELO / 5
    truth[3:, 3:] = 2 * RPS
    for seed in range(20):
        assert rk.ranking(matches(truth, 20, 0.5, seed), resamples=2).cyclic.p_above(0.05) <= 0.01


def test_a_clear_top_stays_and_a_tied_one_changes() -> None:
    clear = rk.ranking(matches(ELO, 10, 0.3, 0))
    assert clear.order == (5, 4, 3, 2, 1, 0)
    assert clear.top_stays == 1
    tied = rk.ranking(matches(np.zeros((4, 4)), 10, 1.0, 0))
    assert tied.top_stays < 0.95


def test_few_or_missing_repeats() -> None:
    for repeats in (1, 2):
        few = rk.ranking(matches(ELO, repeats, 0.1, 0))
        assert few.share == pytest.approx(0, abs=0.01)
        assert (few.cyclic.low, few.cyclic.high) == (0, 1)
    assert rk.ranking(np.zeros((5, 3, 3))).cyclic.n == 0
    assert math.isnan(rk.cyclic_change(np.zeros((5, 3, 3))).value)
    with pytest.raises(ValueError, match="two others"):
        rk.cyclic_change(np.zeros((5, 2, 2)))
    data = matches(ELO, 5, 0.1, 1)
    data[2, 0, 1] = math.nan
    assert "1 of 5 repeats missing" in rk.ranking(data).cyclic.note
    assert rk.ranking(np.full((2, 3, 3), math.nan)).cyclic.n == 0
    with pytest.raises(ValueError, match="square"):
        rk.antisymmetric(np.zeros((2, 3)))
