"""Memory-one pairs: closed forms, Press and Dyson's line, and matches played out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.estimators import memory_one as m1
from freezetag.estimators.zero_determinant import extort, generous, zero_determinant

TFT, WSLS, GTFT = m1.TIT_FOR_TAT, m1.WIN_STAY_LOSE_SHIFT, m1.GENEROUS_TIT_FOR_TAT
chance = st.floats(0, 1)
strategy = st.tuples(*[st.one_of(chance, st.sampled_from([0.0, 1.0]))] * 4)
interior = st.tuples(*[st.floats(0.01, 0.99)] * 4)


def test_extort_3_is_press_and_dysons_and_beats_all_c() -> None:
    np.testing.assert_allclose(extort(3), (11 / 13, 1 / 2, 7 / 26, 0), atol=1e-15)
    ours, theirs = m1.long_run_payoffs(extort(3), m1.ALL_C)
    assert (ours, theirs) == (pytest.approx(3.7273, abs=5e-5), pytest.approx(1.9091, abs=5e-5))


@given(q=interior)
@settings(max_examples=200, deadline=None)
def test_extortion_factor_is_3_against_any_memory_one_strategy(q: tuple[float, ...]) -> None:
    ours, theirs = m1.long_run_payoffs(extort(3), q)
    assert ours - 1 == pytest.approx(3 * (theirs - 1), abs=1e-9)
    ours, theirs = m1.long_run_payoffs(generous(2), q)
    assert ours - 3 == pytest.approx(2 * (theirs - 3), abs=1e-9)


def test_a_line_that_nobody_can_impose_is_refused() -> None:
    with pytest.raises(ValueError, match="chi >= 1"):
        zero_determinant(0.5, 1.0)


def test_noisy_pairs_have_the_published_long_run_payoffs() -> None:
    for noise in (1e-9, 1e-3, 0.01, 0.2):
        assert m1.long_run_payoffs(TFT, TFT, noise=noise)[0] == pytest.approx(2.25, abs=1e-12)
    assert m1.long_run_payoffs(WSLS, WSLS, noise=0.01)[0] == pytest.approx(2.951, abs=5e-4)


def test_mean_rounds_from_mutual_defection_to_mutual_cooperation() -> None:
    def rounds(s: tuple[float, ...]) -> float:
        return float(m1.first_passage(m1.transition(s, s, 0.01), [0])[3])

    assert rounds(TFT) == pytest.approx(200, rel=1e-9)
    assert rounds(WSLS) == pytest.approx(1.041, abs=5e-4)


@pytest.mark.parametrize(("p", "q"), [(GTFT, GTFT), (m1.ALL_D, WSLS), (extort(3), GTFT)])
def test_other_noisy_pairs_agree_with_an_eigenvector(p: np.ndarray, q: np.ndarray) -> None:
    chain = m1.transition(p, q, 0.01)
    values, vectors = np.linalg.eig(chain.T)
    law = np.real(vectors[:, np.argmax(values.real)])
    law /= law.sum()
    np.testing.assert_allclose(m1.long_run_law(chain, m1.start(1, 1, 0.01)), law, atol=1e-12)


def test_all_d_against_win_stay_lose_shift_without_noise() -> None:
    # WSLS answers P with C and S with D, so it is exploited every second round.
    assert m1.long_run_payoffs(m1.ALL_D, WSLS, first=0.0) == (3.0, 0.5)


def test_the_start_decides_in_a_chain_with_several_closed_classes() -> None:
    assert m1.long_run_payoffs(TFT, TFT) == (3.0, 3.0)
    assert m1.long_run_payoffs(TFT, TFT, first=0.0, other_first=0.0) == (1.0, 1.0)
    assert m1.long_run_payoffs(TFT, TFT, first=0.0) == (2.5, 2.5)  # it alternates for ever
    law = m1.long_run_law(m1.transition(TFT, TFT), m1.start(0.5, 0.5))
    np.testing.assert_allclose(law, [0.25] * 4)


@given(p=strategy, q=strategy, a=chance, b=chance)
@settings(max_examples=60, deadline=None)
def test_the_law_is_stationary_and_swaps_with_the_players(
    p: tuple[float, ...], q: tuple[float, ...], a: float, b: float
) -> None:
    chain, mu = m1.transition(p, q), m1.start(a, b)
    law = m1.long_run_law(chain, mu)
    assert law.sum() == pytest.approx(1)
    assert law.min() >= 0
    np.testing.assert_allclose(law @ chain, law, atol=1e-12)
    mirrored = m1.long_run_law(m1.transition(q, p), m1.start(b, a))
    np.testing.assert_allclose(mirrored[list(m1.SWAP)], law, atol=1e-9)


def test_the_law_is_the_limit_of_long_matches_for_every_deterministic_pair() -> None:
    every = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1).T
    i, j = np.divmod(np.arange(256), 16)
    chain, mu = m1.transition(every[i], every[j]), np.broadcast_to(m1.start(0.3, 0.8), (256, 4))
    law = m1.long_run_law(chain, mu)
    total, now = np.zeros((256, 4)), mu
    for _ in range(1200):  # deterministic maps of 4 states: every period divides 12
        total, now = total + now, np.einsum("bs,bst->bt", now, chain)
    np.testing.assert_allclose(total / 1200, law, atol=4 / 1200)


def test_payoff_matrix_is_the_pairs_one_by_one() -> None:
    s = np.random.default_rng(0).random((6, 4))
    s[:3] = m1.ALL_D, TFT, m1.GRIM
    matrix = m1.payoff_matrix(s, first=[0, 1, 1, 0.5, 1, 0.2])
    for i in range(6):
        for j in range(6):
            first, other = ([0, 1, 1, 0.5, 1, 0.2][k] for k in (i, j))
            pair = m1.long_run_payoffs(s[i], s[j], first=first, other_first=other)
            assert matrix[i, j] == pytest.approx(pair[0])
            assert matrix[j, i] == pytest.approx(pair[1])


def test_discounted_and_finite_values() -> None:
    # Grudges start at once: ALLD takes 5, then 1 for ever.
    ours, theirs = m1.discounted_payoffs(m1.ALL_D, m1.GRIM, 0.9, first=0.0)
    assert ours == pytest.approx(5 + 0.9 / 0.1)
    assert theirs == pytest.approx(0 + 0.9 / 0.1)
    assert m1.finite_payoffs(m1.ALL_D, m1.GRIM, 10, first=0.0)[0] == pytest.approx(14 / 10)
    p, q = np.random.default_rng(2).random((2, 4))
    near = m1.discounted_payoffs(p, q, 1 - 1e-7)[0] * 1e-7
    assert near == pytest.approx(m1.long_run_payoffs(p, q)[0], abs=1e-5)
    far = m1.finite_payoffs(p, q, 3000)[0]
    assert far == pytest.approx(m1.long_run_payoffs(p, q)[0], abs=5e-3)


def test_first_passage_is_infinite_where_the_target_may_never_come() -> None:
    chain = m1.transition(TFT, TFT)
    np.testing.assert_array_equal(m1.first_passage(chain, [0]), [0, np.inf, np.inf, np.inf])
    gamble = np.array([[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1.0]])
    np.testing.assert_array_equal(m1.first_passage(gamble, [0]), [0, np.inf, np.inf])
    np.testing.assert_array_equal(m1.first_passage(gamble, [0, 2]), [0, 1, 0])


def test_chances_outside_0_1_are_refused() -> None:
    for bad in (1.2, float("nan")):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            m1.transition((bad, 0, 0, 0), TFT)
