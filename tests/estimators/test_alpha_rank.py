"""Alpha-Rank: published figures, exact rational chains, payoffs that break the usual code."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.estimators.alpha_rank import _log_fixation, multi_population, single_population
from freezetag.estimators.log_chain import BLOCK, closed_classes, stationary_law

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0.0]])


def han_2013() -> np.ndarray:
    """The commitment game of Han et al. 2013 at r=1, t=2, p=0, s=-1, delta=4, eps=.25."""
    r, t, p, s, delta, eps = 1.0, 2.0, 0.0, -1.0, 4.0, 0.25
    proposer = [r - eps / 2, r - eps, 0, s + delta - eps, r - eps]
    others = [[r, r, s, s, s], [0, t, p, p, p], [t - delta, t, p, p, p], [r, t, p, p, p]]
    return np.array([proposer, *others])


def exact_law(rates: list[list[Fraction]]) -> list[float]:
    """Stationary law by elimination in rational arithmetic."""
    n = len(rates)
    a = [row[:] for row in rates]
    law = [Fraction(0)] * n
    for k in range(n - 1, 0, -1):
        out = sum(a[k][:k], Fraction(0))
        for i in range(k):
            a[i][k] /= out
            for j in range(k):
                if j != i:
                    a[i][j] += a[i][k] * a[k][j]
    law[0] = Fraction(1)
    for k in range(1, n):
        law[k] = sum((law[i] * a[i][k] for i in range(k)), Fraction(0))
    return [float(x / sum(law)) for x in law]


def test_han_2013_is_openspiels_published_law() -> None:
    law = single_population(han_2013(), m=20, alpha=0.1, local=False).law
    expected = (0.40966787, 0.07959841, 0.20506998, 0.08505983, 0.2206039)
    np.testing.assert_allclose(law, expected, atol=5e-9)


def test_stag_hunt_and_rock_paper_scissors_at_high_alpha() -> None:
    stag = single_population([[2, 0], [1, 1]], m=50, alpha=100)
    np.testing.assert_allclose(np.sort(stag.law), [0, 1], atol=1e-12)
    rps = single_population(RPS, m=50, alpha=100)
    np.testing.assert_allclose(rps.law, [1 / 3] * 3, atol=1e-12)
    assert rps.classes == ((0, 1, 2),)


@pytest.mark.parametrize("alpha", [1.0, 100.0, 1e6, 1e300])
@pytest.mark.parametrize("local", [True, False])
def test_the_prisoners_dilemma_does_not_overflow(alpha: float, local: bool) -> None:
    found = single_population([[5, 0], [10, 1]], alpha=alpha, local=local)
    np.testing.assert_allclose(found.law, [0, 1], atol=1e-12)
    row, column = np.array([[5, 0], [10, 1]]), np.array([[5, 10], [0, 1]])
    two = multi_population([row, column], alpha=alpha)
    np.testing.assert_allclose(two.law, [0, 0, 0, 1], atol=1e-12)


def test_battle_of_the_sexes_has_two_laws_and_one_limit() -> None:
    found = multi_population([[[3, 0], [0, 2]], [[2, 0], [0, 3]]], alpha=100, m=50)
    assert found.classes == ((0,), (3,))
    np.testing.assert_array_equal(found.laws, [[1, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(found.weights, [0.5, 0.5])
    np.testing.assert_allclose(found.law, [0.5, 0, 0, 0.5], atol=1e-12)
    mild = multi_population([[[3, 0], [0, 2]], [[2, 0], [0, 3]]], alpha=0.1, m=5)
    assert len(mild.classes) == 1


def test_an_equilibrium_that_is_deeper_holds_all_the_mass() -> None:
    # Both are left only by steps of e^-4900 and e^-9800: floats see two laws, logarithms the limit.
    found = multi_population([[[2, 0], [0, 1]], [[2, 0], [0, 1]]], alpha=100, m=50)
    assert found.classes == ((0,), (3,))
    np.testing.assert_allclose(found.weights, [1, 0], atol=1e-12)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_laws_are_exact_however_far_the_rates_are_apart(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 5))
    powers = data.draw(
        st.lists(st.lists(st.integers(-400, 0), min_size=n, max_size=n), min_size=n, max_size=n)
    )
    exact = exact_law([[Fraction(10) ** k for k in row] for row in powers])
    law = stationary_law(math.log(10) * np.array(powers, dtype=float))
    np.testing.assert_allclose(law, exact, rtol=1e-9, atol=1e-18)


def test_float_and_logarithmic_elimination_agree() -> None:
    rng = np.random.default_rng(0)
    rates = rng.normal(scale=3, size=(70, 70))
    spread = np.concatenate([rates, np.full((1, 70), -900.0)])
    spread = np.concatenate(
        [spread, np.full((71, 1), -2000.0)], axis=1
    )  # 70 is all but unreachable
    law = stationary_law(rates)
    generator = np.exp(rates)
    np.fill_diagonal(generator, 0)
    np.testing.assert_allclose(law @ generator, law * generator.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(stationary_law(spread)[:70], law, rtol=1e-10)


def test_laws_are_exact_across_blocks() -> None:
    n = BLOCK + 6
    powers = np.random.default_rng(5).integers(0, 30, size=(n, n)) + 2 * np.arange(n)
    exact = exact_law([[Fraction(1, 2 ** int(k)) for k in row] for row in powers])
    law = stationary_law(-math.log(2) * powers)
    assert min(exact) < 1e-12
    np.testing.assert_allclose(law, exact, rtol=1e-10)


@pytest.mark.parametrize("u", [1e-310, 1e-20, 1e-9, 0.01, 0.7, 3.0, 39.0, 41.0, 700.0])
def test_chances_of_fixation_lose_no_digits(u: float) -> None:
    gain, m = Fraction(u), 50
    # (1 - x) / (1 - x^m) = 1 / (1 + x + ... + x^(m-1)), x = e^-u
    sure = -math.log(math.fsum(math.exp(-float(k * gain)) for k in range(m)))
    found = _log_fixation(np.array([[u, -u]]), m)[0]
    np.testing.assert_allclose(found, [sure, sure - (m - 1) * u], rtol=1e-13, atol=1e-15)


def test_two_closed_classes_have_no_single_law() -> None:
    rates = np.full((3, 3), -np.inf)
    rates[0, 1] = rates[1, 0] = 0
    with pytest.raises(ValueError, match="no unique law"):
        stationary_law(rates)
    found = [c.tolist() for c in closed_classes(rates == 0)]
    assert found == [[0, 1], [2]]


def test_general_selection_equals_the_definition() -> None:
    a, m, alpha = np.random.default_rng(1).normal(size=(3, 3)), 9, 0.7
    rates = np.zeros((3, 3))
    for s in range(3):
        for r in range(3):
            total, product = 1.0, 1.0
            for k in range(1, m):
                f_r = ((k - 1) * a[r, r] + (m - k) * a[r, s]) / (m - 1)
                f_s = ((m - k - 1) * a[s, s] + k * a[s, r]) / (m - 1)
                product *= math.exp(-alpha * (f_r - f_s))
                total += product
            rates[s, r] = 0 if r == s else 1 / total
    law = single_population(a, m=m, alpha=alpha, local=False).law
    np.testing.assert_allclose(law @ rates, law * rates.sum(axis=1), rtol=1e-12)


def test_openspiel_agrees_where_it_works() -> None:
    theirs = pytest.importorskip("open_spiel.python.egt.alpharank")
    rng = np.random.default_rng(2)
    a = rng.normal(size=(5, 5))
    for local in (True, False):
        pi = theirs.compute([a], m=12, alpha=0.5, use_local_selection_model=local)[2]
        ours = single_population(a, m=12, alpha=0.5, local=local).law
        np.testing.assert_allclose(ours, pi, atol=1e-10)
    tables = [rng.normal(size=(2, 3)), rng.normal(size=(2, 3))]
    pi = theirs.compute(tables, m=12, alpha=0.5)[2]
    np.testing.assert_allclose(multi_population(tables, m=12, alpha=0.5).law, pi, atol=1e-10)


@pytest.mark.parametrize("bad", [[[0, math.nan], [0, 0]], [[0, math.inf], [0, 0]], [[1, 2, 3]]])
def test_payoffs_that_cannot_be_ranked_are_refused(bad: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="payoff"):
        single_population(bad)
    with pytest.raises(ValueError, match="alpha"):
        single_population(RPS, alpha=math.nan)


def test_one_strategy_has_all_the_mass() -> None:
    assert single_population([[3.0]]).law.tolist() == [1.0]
