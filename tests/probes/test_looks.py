"""Looking more than once: what a look costs, when it is over, and that the error rate holds."""

from __future__ import annotations

import numpy as np
import pytest

from freezetag.core import Limits
from freezetag.core.probe import FAIL, PASS
from freezetag.estimators.estimate import exact, nothing
from freezetag.estimators.intervals import clopper_pearson
from freezetag.probes.shared.looks import Looks, blocks, certain, key
from freezetag.probes.shared.tilt import worst_mix, worst_mix_estimate
from freezetag.report.stored import StoredInterval

LIMITS = Limits(0.8, 0.5, "of a test", harm="below")


def judged(chance: float, plan: Looks, block: int, rng: np.random.Generator) -> tuple[str, int]:
    """(verdict, units) of a share that is measured in blocks until it is certain."""
    happened, done, of = 0, 0, nothing()
    while (wanted := plan.wanted(done, certain(LIMITS, of))) > done:
        happened += rng.binomial(block * (wanted - done), chance)
        done = wanted
        of = clopper_pearson(happened, block * done, level=plan.level)
    return LIMITS.verdict(plan.joint(of)), block * done


def rate(chance: float, verdict: str, plan: Looks, draws: int = 1000) -> float:
    rng = np.random.default_rng(0)
    return float(np.mean([judged(chance, plan, 24, rng)[0] == verdict for _ in range(draws)]))


def test_at_a_limit_a_wrong_verdict_is_as_rare_as_one_look_would_have_it() -> None:
    """One side of a two-sided interval: .025, whatever the number of looks."""
    plan = Looks(16)
    assert rate(0.5, FAIL, plan) <= 0.025 + 0.015
    assert rate(0.8, PASS, plan) <= 0.025 + 0.015


def test_one_look_repeated_at_the_plain_level_would_be_wrong_too_often() -> None:
    """What the shares are for: the same five looks, each at .95."""

    class Careless:
        most, level = 16, 0.95
        wanted, joint = Looks(16).wanted, staticmethod(lambda of: of)

    assert rate(0.5, FAIL, Careless()) > 0.04  # type: ignore[arg-type]


def test_few_repeats_cover_the_worst_mix_at_the_level_of_one_look() -> None:
    """Of five repeats the greatest of 2,000 resamples is no 98.75 % end: it missed .08."""
    rng, score, level = np.random.default_rng(3), np.linspace(0.0, 1.0, 12), Looks(8).level
    truth, missed = float(worst_mix(score, 0.5)), 0
    for _ in range(300):
        noise = 0.2 * rng.normal(size=(5, 1)) + 0.2 * rng.normal(size=(5, 12))
        of = worst_mix_estimate(score + noise, 0.5, level=level)
        missed += not of.low <= truth <= of.high
    assert missed / 300 <= 0.0125 + 0.025


@pytest.mark.parametrize("chance", [0.3, 0.4, 0.9, 0.95, 1.0])
def test_away_from_a_limit_it_decides(chance: float) -> None:
    right = FAIL if chance < 0.5 else PASS
    assert rate(chance, right, Looks(16), 200) >= 0.88
    assert rate(chance, right, Looks(16), 200) >= rate(chance, right, Looks(1), 200)


def test_what_is_clear_ends_after_a_block() -> None:
    assert judged(1.0, Looks(16), 24, np.random.default_rng(0)) == (PASS, 24)
    assert judged(0.0, Looks(16), 24, np.random.default_rng(0)) == (FAIL, 24)


def test_blocks_double_and_end() -> None:
    plan, seen = Looks(8), []
    while (wanted := plan.wanted(seen[-1] if seen else 0, False)) != (seen[-1] if seen else 0):
        seen.append(wanted)
    assert seen == [1, 2, 4, 8]
    assert plan.number == 4
    assert plan.level == pytest.approx(1 - 0.05 / 4)
    assert plan.wanted(2, True) == 2


def test_the_acts_bound_the_blocks() -> None:
    assert Looks.within(99, 100, 8) == Looks(1)
    assert Looks.within(399, 100, 8) == Looks(2)
    assert Looks.within(10_000, 100, 8) == Looks(8)


def test_the_p_value_pays_for_the_looks_too() -> None:
    of = clopper_pearson(2, 24, level=Looks(16).level)
    joint = Looks(16).joint(of)
    assert (joint.low, joint.high, joint.level) == (of.low, of.high, 0.95)
    assert joint.p_below(0.5) == pytest.approx(5 * of.p_below(0.5))
    assert Looks(16).joint(clopper_pearson(12, 24)).p_below(0.5) == 1
    assert Looks(16).joint(nothing()).n == 0
    assert Looks(1).joint(of) is of


@pytest.mark.parametrize(
    ("low", "high", "over"),
    [(0.9, 1.0, True), (0.7, 0.9, False), (0.6, 0.7, True), (0.4, 0.7, False), (0.1, 0.4, True)],
)
def test_certain_is_on_one_side_of_each_limit(low: float, high: float, over: bool) -> None:
    assert certain(LIMITS, StoredInterval((low + high) / 2, low, high, 9, "t")) is over
    turned = Limits(-0.8, -0.5, "of a test", harm="above")
    assert certain(turned, StoredInterval(-(low + high) / 2, -high, -low, 9, "t")) is over
    assert certain(LIMITS, exact(0.5)) is True


def test_the_blocks_of_an_arm_are_those_in_a_row() -> None:
    seen = {"live": 0, key("live", 1): 1, key("live", 3): 3, ("live", "tape"): 9}
    assert blocks(seen, "live") == [0, 1]
    assert blocks(seen, "dead") == []
