"""Zero-determinant strategies enforce their line, and the long-run law is the chain's."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezetag.players._moves import uniform
from freezetag.players._pair_value import long_run, slopes
from freezetag.players._zero_determinant import AXELROD, zero_determinant

CHANCES = st.lists(st.floats(0.02, 0.98), min_size=4, max_size=4)
T, R, P, S = AXELROD
MINE, THEIRS = np.array([R, S, T, P]), np.array([R, T, S, P])


def law(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Stationary law over CC, CD, DC, DD by a linear solve; `other` in the own state order."""
    chain = np.stack(
        [own * other, own * (1 - other), (1 - own) * other, (1 - own) * (1 - other)], 1
    )
    system = np.vstack([chain.T - np.eye(4), np.ones(4)])
    return np.linalg.lstsq(system, np.array([0, 0, 0, 0, 1.0]), rcond=None)[0]


def test_extort_3_is_the_published_one() -> None:
    """docs/sources.md P9 (Press and Dyson 2012): (11/13, 1/2, 7/26, 0)."""
    assert zero_determinant(3.0, 1 / 26, P) == pytest.approx((11 / 13, 1 / 2, 7 / 26, 0))


def test_extort_2_and_generous_are_the_published_ones() -> None:
    """Stewart and Plotkin (2012): ZD-Extort-2 (8/9, 1/2, 1/3, 0), ZD-GTFT-2 (1, 1/8, 1, 1/4)."""
    assert zero_determinant(2.0, 1 / 18, P) == pytest.approx((8 / 9, 1 / 2, 1 / 3, 0))
    assert zero_determinant(2.0, 1 / 8, R) == pytest.approx((1, 1 / 8, 1, 1 / 4))


def test_extort_3_against_unconditional_cooperation() -> None:
    """docs/sources.md P9: 3.7273 against 1.9091."""
    shares = law(np.array(zero_determinant(3.0, 1 / 26, P)), np.ones(4))
    assert (shares @ MINE, shares @ THEIRS) == pytest.approx((3.7273, 1.9091), abs=5e-5)


@given(CHANCES, st.sampled_from([(3.0, 1 / 26, P), (2.0, 1 / 18, P), (2.0, 1 / 8, R)]))
def test_the_line_is_enforced_against_any_memory_one(
    other: list[float], strategy: tuple[float, float, float]
) -> None:
    chi, _, baseline = strategy
    shares = law(np.array(zero_determinant(*strategy)), np.array(other))
    own, theirs = shares @ MINE, shares @ THEIRS
    assert own - baseline == pytest.approx(chi * (theirs - baseline), abs=1e-9)


def test_impossible_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="Make phi smaller"):
        zero_determinant(3.0, 0.5, P)


@given(CHANCES, CHANCES)
def test_the_weights_are_the_stationary_law(own: list[float], other: list[float]) -> None:
    with jax.enable_x64():
        weights = np.asarray(long_run(np.array(own), np.array(other)))
    assert weights / weights.sum() == pytest.approx(law(np.array(own), np.array(other)), abs=1e-9)


@given(CHANCES, CHANCES)
def test_the_slopes_are_the_derivatives(own: list[float], other: list[float]) -> None:
    """Against central differences of the solved law, step 1e-4."""
    p, q = np.array(own), np.array(other)
    with jax.enable_x64():
        v_p, v_q, w_pq = (np.asarray(x) for x in slopes(p, q, MINE, THEIRS))
    steps = 1e-4 * np.eye(4)
    for i, a in enumerate(steps):
        by_p = (law(p + a, q) - law(p - a, q)) @ MINE / 2e-4
        by_q = (law(p, q + a) - law(p, q - a)) @ MINE / 2e-4
        assert (v_p[i], v_q[i]) == pytest.approx((by_p, by_q), rel=1e-3, abs=1e-3)
        for j, b in enumerate(steps):
            corners = law(p + a, q + b) - law(p + a, q - b) - law(p - a, q + b) + law(p - a, q - b)
            assert w_pq[i, j] == pytest.approx(corners @ THEIRS / 4e-8, rel=1e-2, abs=1e-2)


@pytest.mark.parametrize("purpose", [0, 1])
def test_coins_are_fair_over_keys(purpose: int) -> None:
    """Chi-square over 64 equal parts, keys split and counted; 1e5 draws, p > 1e-4."""
    from scipy.stats import chisquare

    draw = jax.jit(jax.vmap(lambda key: uniform(key, purpose)))
    for keys in (
        jax.random.split(jax.random.key(5), 100_000),
        jax.vmap(jax.random.key)(np.arange(100_000)),
    ):
        found = np.asarray(draw(keys))
        assert 0 <= found.min() < found.max() < 1
        assert chisquare(np.histogram(found, 64, (0, 1))[0]).pvalue > 1e-4
        assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.02
