"""Group outcomes: the published welfare figures, closed forms, undefined cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezetag.estimators import welfare

DIPLOMACY = [
    (43, 22, 21, 28, 31, 42, 32),
    (35, 21, 25, 35, 37, 32, 33),
    (35, 30, 44, 37, 27, 44, 37),
    (35, 27, 27, 37, 27, 30, 42),
    (28, 37, 37, 36, 37, 43, 28),
]


def test_root_nash_welfare_has_the_published_figures() -> None:
    """Welfare Diplomacy (Mukobi et al. 2023): one game of one year, five games of ten years."""
    assert welfare.root_nash_welfare((5, 5, 5, 5, 4, 5, 5)) == pytest.approx(4.843, abs=5e-4)
    games = welfare.root_nash_welfare(DIPLOMACY, steps=10)
    assert games.shape == (5,)
    assert games.mean() == pytest.approx(3.262, abs=5e-4)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=9))
def test_equality_is_the_printed_formula(r: list[float]) -> None:
    total = sum(r)
    found = welfare.equality(r)
    if total <= 0:
        assert math.isnan(found)
    else:
        spread = sum(abs(a - b) for a in r for b in r)
        assert found == pytest.approx(1 - spread / (2 * len(r) * total), abs=1e-9)
        assert -1e-9 <= found <= 1 + 1e-9


def test_equality_at_its_ends_and_where_it_is_undefined() -> None:
    assert welfare.equality([2, 2, 2]) == 1
    assert welfare.equality([3, 0, 0]) == pytest.approx(1 / 3)  # 1/N: one has all
    assert np.isnan(welfare.equality([[1, -1, 3], [0, 0, 0], [1, math.nan, 1]])).all()


def test_root_nash_welfare_of_nothing_and_of_a_loss() -> None:
    assert welfare.root_nash_welfare([4.0, 0.0]) == 0
    assert math.isnan(welfare.root_nash_welfare([4.0, -1.0]))


def test_outcomes_count_what_is_undefined() -> None:
    rng = np.random.default_rng(0)
    returns = rng.uniform(1, 2, size=(12, 4))
    returns[3, 0] = -1.0
    returns[5, 1] = math.nan
    found = welfare.outcomes(returns, steps=10)
    assert found["utilitarian"].n == 11
    assert found["equality"].n == 10
    assert "undefined in 1 of 12: a return is negative" in found["equality"].note
    good = np.delete(returns, [3, 5], axis=0)
    assert found["equality"].value == pytest.approx(welfare.equality(good).mean())
    assert found["worst off"].value == pytest.approx(
        np.delete(returns, 5, axis=0).min(axis=1).mean() / 10
    )


def test_rank_reversal() -> None:
    rich, fair = np.array([10.0, 0, 0]), np.array([2.0, 2, 2])
    assert welfare.utilitarian(rich) > welfare.utilitarian(fair)
    assert welfare.worst_off(rich) < welfare.worst_off(fair)
    assert welfare.root_nash_welfare(rich) < welfare.root_nash_welfare(fair)


def test_schelling_slopes_of_the_public_goods_game() -> None:
    # Pay r c k/N - c[coop]: one more cooperator is worth rc/N, defecting gains c - rc/N.
    n, r, c = 5, 3.0, 1.0
    k = np.arange(n)
    cooperator = np.tile(r * c * (k + 1) / n - c, (6, 1))
    defector = np.tile(r * c * k / n, (6, 1))
    noise = 0.01 * np.random.default_rng(1).normal(size=(2, 6, n))
    found = welfare.schelling(cooperator, defector, deterministic=True)
    assert found.cooperator_slope.value == pytest.approx(r * c / n)
    assert found.defector_slope.value == pytest.approx(r * c / n)
    assert found.temptation.value == pytest.approx(c - r * c / n)
    assert found.cooperation_pays.value == pytest.approx(r * c - c)
    assert found.temptation.p_above(0.1) == 0
    noisy = welfare.schelling(cooperator + noise[0], defector + noise[1])
    assert noisy.temptation.p_above(0.1) < 0.01
    with pytest.raises(ValueError, match="seeds"):
        welfare.schelling([1.0, 2.0], [1.0, 2.0])
