"""Risk of layers: formula against simulation, and how often the simulation's interval is right."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.estimators.layers import all_fail, floor, simulated
from freezetag.estimators.rare_event import rare_event

CASES = [(0.1, 3, 0.05), (0.05, 4, 0.001), (0.1, 9, 1e-8), (0.5, 3, 0.2), (0.9, 3, 0.05)]


@pytest.mark.parametrize(("failure", "layers", "common"), CASES)
def test_coverage_of_the_interval(failure: float, layers: int, common: float) -> None:
    """At least 95 % over 200 seeds, at a chance of 0.7 and at one of 2e-9; and narrow."""
    truth = all_fail(failure, layers, common)
    found = [simulated(failure, layers, common, seed=s, draws=1000) for s in range(200)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.95
    assert np.mean([one.value for one in found]) == pytest.approx(truth, rel=0.01)
    assert np.mean([one.high - one.low for one in found]) < 0.1 * truth


def enumerated(chances: list[float], cuts: list[set[int]]) -> float:
    """P(some cut) by going through all that can happen."""
    total = 0.0
    for happened in product([False, True], repeat=len(chances)):
        if any(all(happened[cause] for cause in cut) for cut in cuts):
            both = zip(chances, happened, strict=True)
            total += float(np.prod([p if h else 1 - p for p, h in both]))
    return total


@given(
    chances=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    cuts=st.lists(st.sets(st.integers(0, 3), min_size=1), min_size=1, max_size=5),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=40, deadline=None)
def test_any_fault_tree(chances: list[float], cuts: list[set[int]], seed: int) -> None:
    """Overlapping cuts, sure and impossible causes: at level 1 - 1e-6 it never misses."""
    found = rare_event(chances, cuts, seed=seed, draws=500, level=1 - 1e-6)
    slack = 1e-12
    assert found.low - slack <= enumerated(chances, cuts) <= found.high + slack


def test_a_single_way_needs_no_draw() -> None:
    found = rare_event([0.1, 0.2], [{0, 1}], seed=0)
    assert (found.value, found.method) == (pytest.approx(0.02), "deterministic")
    assert simulated(0.0, 3, 0.5, seed=0).value == 0


def test_the_same_seed_gives_the_same_figure() -> None:
    first, again = (simulated(0.5, 3, 0.2, seed=7) for _ in range(2))
    assert first == again
    assert first != simulated(0.5, 3, 0.2, seed=8)


@given(f=st.floats(0.01, 0.99), b=st.floats(0, 0.99), n=st.integers(1, 8))
def test_more_layers_help_down_to_the_floor(f: float, b: float, n: int) -> None:
    assert all_fail(f, 1, b) == pytest.approx(f)
    # Equal where one layer more is below the rounding of the floor.
    assert all_fail(f, n + 1, b) <= all_fail(f, n, b)
    assert all_fail(f, n, b) >= floor(f, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: all_fail(1.5, 3), r"failure lies in \[0, 1\], got 1.5"),
        (lambda: all_fail(float("nan"), 3), "failure lies in"),
        (lambda: all_fail(0.1, 3, -1), "common lies in"),
        (lambda: all_fail(0.1, 0), "at least one layer, got 0"),
        (lambda: simulated(0.1, 0, seed=0), "at least one layer"),
        (lambda: rare_event([0.1, 1.2], [{0}], seed=0), r"numbers in \[0, 1\]"),
        (lambda: rare_event([0.1], [{1}], seed=0), r"cut 0 is \[1\]; it must name causes"),
        (lambda: rare_event([0.1], [set()], seed=0), r"cut 0 is \[\]"),
        (lambda: rare_event([0.1], [], seed=0), "there is no cut"),
        (lambda: rare_event([0.1], [{0}], seed=0, draws=1), "draws must be 2 or more"),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
