"""The median and its interval: what it covers, of few units, equal ones and infinite ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from freezetag.estimators.median import median


def test_the_interval_lies_between_the_units_that_the_sign_test_names() -> None:
    """Of 8 units the least and the greatest (.9922), of 9 the second and the eighth (.9609), of 20
    the sixth and the fifteenth (.9586): the published table of order statistics."""
    for n, rank in ((8, 1), (9, 2), (20, 6)):
        of = median(np.arange(1.0, n + 1))
        assert (of.value, of.low, of.high) == ((n + 1) / 2, rank, n + 1 - rank)
        assert of.level == 0.95


@pytest.mark.parametrize("n", [6, 7, 12, 25])
def test_it_covers_the_median_of_a_skewed_law_and_of_one_with_ties(n: int) -> None:
    """4,000 samples each: at least 95 %, less three standard errors."""
    rng, tries = np.random.default_rng(n), 4000
    for draw, middle in ((rng.standard_exponential, math.log(2)), (_coin(rng), 0.0)):
        found = [median(draw(n)) for _ in range(tries)]
        share = np.mean([of.low <= middle <= of.high for of in found])
        assert share >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / tries)


def _coin(rng: np.random.Generator) -> Callable[[int], np.ndarray]:
    return lambda n: (rng.random(n) < 0.4).astype(float)


def test_few_units_say_what_they_hold() -> None:
    of = median(np.array([3.0, 1.0, 2.0]))
    assert (of.value, of.low, of.high, of.level) == (2.0, 1.0, 3.0, 0.75)
    assert "hold it at 0.75" in of.note


def test_equal_units_give_no_width_and_none_gives_nothing() -> None:
    of = median(np.full(8, 0.5))
    assert (of.low, of.high) == (0.5, 0.5)
    assert of.p_above(0.4) == pytest.approx(2**-8)
    assert of.p_above(0.5) == 1.0
    assert median(np.array([np.nan])).n == 0


def test_infinite_units_stand_in_the_order() -> None:
    of = median(np.array([-np.inf, 1.0, 2.0, np.inf, np.inf, np.inf]))
    assert (of.value, of.low, of.high) == (2.0, -np.inf, np.inf)
    assert median(np.array([-np.inf, np.inf])).value == -np.inf
