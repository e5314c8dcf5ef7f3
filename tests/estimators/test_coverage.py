"""Statistics of the statistics: coverage of every interval, false alarms of every p-value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from freezetag.estimators import bootstrap, intervals
from freezetag.estimators.estimate import Estimate

RUNS = 300  # binomial s.e. of a 95 % coverage: 1.3 points


def measured(
    draw: Callable[[np.random.Generator], np.ndarray],
    truth: float,
    estimator: Callable[[np.ndarray], Estimate],
    runs: int = RUNS,
) -> tuple[float, float, float]:
    """Coverage, and how often a true null "not above", "not below" is rejected at 5 %."""
    rng = np.random.default_rng(11)
    found = [estimator(draw(rng)) for _ in range(runs)]
    covered = np.mean([e.low <= truth <= e.high for e in found])
    above = np.mean([e.p_above(truth) <= 0.05 for e in found])
    below = np.mean([e.p_below(truth) <= 0.05 for e in found])
    return float(covered), float(above), float(below)


def quick(x: np.ndarray) -> Estimate:
    return bootstrap.mean(x, resamples=800)


@pytest.mark.parametrize("n", [8, 30])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, n: rng.normal(size=n), 0.0),
        (lambda rng, n: rng.exponential(size=n), 1.0),
        (lambda rng, n: rng.beta(0.5, 2, size=n), 0.2),
    ],
    ids=["normal", "exponential", "beta"],
)
def test_bootstrap_t_covers(draw: Callable[..., np.ndarray], truth: float, n: int) -> None:
    covered, above, below = measured(lambda rng: draw(rng, n), truth, quick)
    assert 0.92 <= covered <= 0.985
    assert above <= 0.085
    assert below <= 0.085


def test_bootstrap_t_covers_better_than_bca_and_student_for_skewed_units() -> None:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.exponential(size=8)

    ours = measured(draw, 1.0, quick)[0]
    assert ours > measured(draw, 1.0, lambda x: bootstrap.statistic(x, np.mean, resamples=800))[0]
    assert ours > measured(draw, 1.0, intervals.student_t)[0]


def test_bca_covers_a_median_and_a_ratio() -> None:
    covered = measured(
        lambda rng: rng.normal(size=25),
        0.0,
        lambda x: bootstrap.statistic(x, np.median, resamples=800),
    )[0]
    assert 0.92 <= covered <= 0.99

    def ratio(x: np.ndarray, axis: int) -> np.ndarray:
        return x[..., 0].mean(axis) / x[..., 1].mean(axis)

    covered, above, below = measured(
        lambda rng: np.stack([rng.exponential(size=30), rng.uniform(1, 3, size=30)], axis=1),
        0.5,
        lambda x: bootstrap.statistic(x, ratio, resamples=800),
    )
    assert 0.92 <= covered <= 0.985
    assert max(above, below) <= 0.09


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_statistic_of_few_units_is_not_as_narrow_as_what_was_seen(n: int) -> None:
    """Resamples of 2 units reach from one to the other, which covers half of the time."""
    covered, above, below = measured(
        lambda rng: rng.beta(4, 4, size=n),
        0.5,
        lambda x: bootstrap.statistic(x, np.mean, bounds=(0, 1)),
    )
    assert covered >= 0.92
    assert above <= 0.085
    assert below <= 0.085


def test_paired_removes_what_both_arms_share() -> None:
    def arms(rng: np.random.Generator) -> np.ndarray:
        weather = 10 * rng.normal(size=20)
        return np.stack([weather + rng.normal(size=20), weather + rng.normal(size=20) - 0.5])

    covered, above, below = measured(arms, 0.5, lambda x: bootstrap.paired(x[0], x[1]))
    assert 0.92 <= covered <= 0.985
    assert max(above, below) <= 0.085
    rng = np.random.default_rng(0)
    x = arms(rng)
    width = bootstrap.paired(*x).high - bootstrap.paired(*x).low
    alone = bootstrap.mean(x[0])
    assert width < 0.3 * (alone.high - alone.low)


@pytest.mark.parametrize("p", [0.02, 0.3])
def test_exact_intervals_never_cover_less(p: float) -> None:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return (rng.random(60) < p).astype(float)

    for estimator in (
        intervals.proportion,
        lambda x: intervals.empirical_bernstein(x, 0, 1),
        lambda x: (
            bootstrap.mean(x, deterministic=False, bounds=(0, 1))
            if x.min() == x.max()
            else intervals.proportion(x)
        ),
    ):
        covered, above, below = measured(draw, p, estimator)
        assert covered >= 0.94
        assert max(above, below) <= 0.075


def test_student_t_covers_normal_units() -> None:
    covered, above, below = measured(lambda rng: rng.normal(2, 3, size=6), 2.0, intervals.student_t)
    assert 0.92 <= covered <= 0.98
    assert max(above, below) <= 0.08


@pytest.mark.parametrize("n", [8, 15, 60])
@pytest.mark.parametrize("p", [0.02, 0.2])
def test_means_of_rare_events_are_covered_where_the_range_is_known(p: float, n: int) -> None:
    """Eight zeros of an event of 2 % gave [0, 0]: a coverage of .14, and of .66 at 60."""

    def events(rng: np.random.Generator) -> np.ndarray:
        return (rng.random(n) < p) * 1.0

    def amounts(rng: np.random.Generator) -> np.ndarray:
        return events(rng) * rng.beta(2, 2, size=n)

    for draw, truth in ((events, p), (amounts, p / 2)):
        covered, above, below = measured(
            draw, truth, lambda x: bootstrap.mean(x, bounds=(0, 1), resamples=400)
        )
        assert covered >= 0.93
        assert max(above, below) <= 0.075


def test_means_of_rare_events_without_a_range_are_not_called_certain() -> None:
    covered, above, below = measured(lambda rng: (rng.random(8) < 0.02) * 1.0, 0.02, quick)
    assert covered >= 0.9
    assert max(above, below) <= 0.085
