"""A threshold between two settings that were tried: what it claims, and how it is found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezetag.core import Limits
from freezetag.estimators.estimate import bracketed
from freezetag.probes.shared.bisection import bracket, found, wanted

GRID = (-10.0, -1.0, 0.0, 1.0, 10.0)


@given(st.floats(-20, 20))
def test_bisection_ends_around_the_threshold(threshold: float) -> None:
    answers: dict[float, bool] = {}
    for _ in range(60):
        asked = wanted(answers, GRID, 0.01)
        if not asked:
            break
        answers |= {at: at <= threshold for at in asked}
    assert not wanted(answers, GRID, 0.01)
    low, high = bracket(answers)
    assert low <= threshold < high
    assert high - low <= 0.01 or not -10 <= threshold < 10
    assert (found(answers, 3).low, found(answers, 3).high) == (low, high)


def test_it_claims_what_lies_outside_and_nothing_inside() -> None:
    of = bracketed(1.0, 2.0, n=4)
    assert (of.value, of.n, of.method) == (1.5, 4, "bisection")
    assert [of.p_above(x) for x in (0.9, 1.0, 1.5, 2.5)] == [0, 1, 1, 1]
    assert [of.p_below(x) for x in (0.9, 1.5, 2.0, 2.5)] == [1, 1, 1, 0]
    verdicts = [
        Limits(warn, fail, "a test's").verdict(of)
        for warn, fail in ((2.0, 3.0), (1.5, 3.0), (0.2, 0.5))
    ]
    assert verdicts == ["pass", "inconclusive", "fail"]


def test_an_open_end_is_no_number_made_up() -> None:
    above = bracketed(3.0, math.inf)
    assert (above.value, above.p_above(2.9), above.p_below(100.0)) == (3.0, 0, 1)
    assert bracketed(-math.inf, -3.0).value == -3.0
    for ends in ((2.0, 1.0), (-math.inf, math.inf), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="bracket"):
            bracketed(*ends)
