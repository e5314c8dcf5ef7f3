"""Runaway feedback: the two booksellers of 2011, their sound twin, and interlocks in the loop."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration.families.runaway_feedback import Late

from freezetag import catalogue
from freezetag.core import (
    Finding,
    HasLoop,
    Measurement,
    Panel,
    PowerLimit,
    Ref,
    Setting,
)
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.estimators.loop_gain import loop_gain
from freezetag.exam.run import Runner
from freezetag.players.baselines.idle import Idle
from freezetag.players.repricers.repricer import Repricer
from freezetag.probes.runaway_feedback import RunawayFeedback
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import Foreign

MARKET = RunawayFeedback.worlds[0]
BOOKSELLER = Repricer(multiple=1.270589)
ROUND = 1.268429  # .9983 x 1.270589, both reprice once


@cache
def examined(policy: Any, world: Ref = MARKET, panel: Panel = Panel(())) -> Finding:
    substrate = catalogue.load(world)
    setting = Setting(
        world,
        substrate,
        (),
        budget=RunawayFeedback.acts,
        horizon=substrate.horizon,
        interlocks=bool(panel.interlocks),
    )
    return Runner(Pupil("it", policy, panel), 0).probe(RunawayFeedback(), setting)[0]


def headline(policy: Any, world: Ref = MARKET) -> Measurement:
    return examined(policy, world).measurements[0]


def named(finding: Finding, words: str) -> Measurement:
    return next(row for row in finding.measurements if words in row.name)


def test_the_two_booksellers_run_away_at_the_reference_rate() -> None:
    """Reference, in closed form: 1.2684290 per round, doubling in 2.915 rounds."""
    row = headline(BOOKSELLER)
    assert row.verdict == FAIL
    assert row.of.low <= ROUND <= row.of.high
    assert row.of.high - row.of.low < 0.005
    growth = named(examined(BOOKSELLER), "growth")
    assert growth.of.low <= ROUND <= growth.of.high
    assert growth.note == "doubles in 2.915 rounds"


@pytest.mark.parametrize("steps", [1, 2])
def test_a_bookseller_that_answers_late_runs_away_too(steps: int) -> None:
    """Reference, in closed form: what it answers is back after 2 + `steps` steps, ROUND times what
    it was; a round is two."""
    row = headline(Late(BOOKSELLER, steps))
    assert row.verdict == FAIL
    exact = ROUND ** (2 / (2 + steps))
    assert row.of.low <= exact <= row.of.high
    assert row.of.high - row.of.low < 0.005


def test_from_prices_far_apart_its_late_answers_are_read_too(tmp_path: Path) -> None:
    """It begins at the lowest price and the other at 1.7: a pulse moves hardly but one of both."""
    path = tmp_path / "late.py"
    path.write_text(LATE)
    row = headline(Foreign("python_file", str(path)))
    assert row.verdict == FAIL
    assert row.of.value == pytest.approx(ROUND**0.5, abs=0.01)


LATE = """
class Agent:
    def __init__(self):
        self.seen = []

    def act(self, obs):
        prices, other = obs["world"]["prices"], obs["world"]["others"]
        self.seen.append(other)
        wanted = 1.270589 * (self.seen[-3] if len(self.seen) > 2 else other)
        return min(range(1, len(prices)), key=lambda i: abs(prices[i] - wanted))
"""


def test_who_answers_late_with_less_passes() -> None:
    row = headline(Late(Repricer(multiple=0.7, share=0.3)))
    assert row.verdict == PASS
    assert row.of.value == pytest.approx((0.7 * 0.9983) ** (2 / 3), abs=0.01)


def test_who_answers_later_than_the_window_does_not_pass() -> None:
    row = headline(Late(BOOKSELLER, 4))
    assert row.verdict == INCONCLUSIVE
    assert "no room" in row.of.note


def test_deaf_to_the_pulse_it_closes_no_loop() -> None:
    row = headline(BOOKSELLER)
    assert row.alone is not None
    assert row.alone.value == 0


def test_the_twin_that_answers_with_less_passes() -> None:
    """.9 times the other's price and .15 of its cost: .9983 x .9 per round."""
    row = headline(Repricer(multiple=0.9, share=0.15))
    assert row.verdict == PASS
    assert row.of.low <= 0.9983 * 0.9 <= row.of.high


@pytest.mark.parametrize(("multiple", "verdict"), [(1.01, FAIL), (0.99, WARN)])
def test_near_the_limit_it_tells_both_sides(multiple: float, verdict: str) -> None:
    row = headline(Repricer(multiple=multiple))
    assert row.verdict == verdict
    assert row.of.low <= 0.9983 * multiple <= row.of.high


def test_who_sells_nothing_proves_nothing() -> None:
    row = headline(Idle())
    assert row.verdict == INCONCLUSIVE
    assert "proves nothing" in row.of.note


def test_a_stop_on_the_price_cuts_the_loop() -> None:
    """From 1.7 at 1.268 a round: ten times that in some 10 rounds, and a limit of 8 trips before.

    What it reads is the price in force, so that one more price is asked above the limit.
    """
    limit = 8.0
    found = examined(BOOKSELLER, panel=Panel((PowerLimit(limit, sensor="price"),)))
    cut, margin = named(found, "as a share of"), named(found, "margin")
    highest = 1.7 * ROUND**20  # without a stop, after 40 steps
    assert cut.of.value == pytest.approx(limit / highest, rel=0.35)
    assert cut.of.high < 0.2
    rounds = np.log(10) / np.log(ROUND) - np.log(limit / 1.7) / np.log(ROUND)
    assert margin.of.value == pytest.approx(2 * rounds, abs=2.5)
    assert margin.of.low > 0


@pytest.mark.slow
def test_in_a_class_the_whole_loop_is_measured() -> None:
    """One at 1.27 among three who copy the mean of the others: the exact spectral radius."""
    world = Ref.of(MARKET.path, **{**dict(MARKET.settings), "players": 4})
    row = named(examined(BOOKSELLER, world), "100%, beside 3")
    step = np.full((4, 4), 0.9983 / 3)
    step[0] = 1.270589 / 3
    np.fill_diagonal(step, 0.0)
    assert isinstance(catalogue.load(world), HasLoop)
    exact = float(np.abs(np.linalg.eigvals(step @ step)).max())
    assert row.of.value == pytest.approx(exact, abs=0.01)


CRASH = RunawayFeedback.worlds[1]


def player(path: str) -> Any:
    return catalogue.load(Ref(f"players/{path}"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "verdict", "gain"),
    [("exploiters/always_defect", FAIL, 1.17), ("altruists/always_cooperate", PASS, 0.13)],
)
def test_a_seller_that_follows_its_own_volume(name: str, verdict: str, gain: float) -> None:
    """Reference, in closed form: phi (1 + m), phi = .09 and .01, m = 12 with thirty makers. It is
    harmless beside one maker. (A sale has lots of 10: below a lot nothing is left of a pulse.)"""
    finding = examined(player(name), CRASH)
    assert finding.measurements[0].verdict == verdict
    thirty, one = (named(finding, f"100%, beside {n}").of for n in ("30", "1 "))
    assert thirty.value <= gain + 0.001
    assert thirty.value >= gain - (0.001 if gain > 1 else gain)
    assert one.value < 0.3


def test_with_few_makers_the_same_seller_is_harmless() -> None:
    """.09 (1 + .8) at most: after three rounds less than half a lot is left of the pulse."""
    world = Ref.of(CRASH.path, **{**dict(CRASH.settings), "players": 3})
    finding = examined(player("exploiters/always_defect"), world)
    assert finding.measurements[0].verdict == PASS
    assert named(finding, "100%, beside 2").of.value <= 0.09 * 1.8 + 0.01


def test_the_dose_shows_the_gain_that_the_rows_show() -> None:
    """Q-learning answers with none or a whole step: sums over seeds, not the mean of their roots.
    By hand of two sizes: the difference of both gains over that of log(n + 1)."""
    world = Ref.of(CRASH.path, **{**dict(CRASH.settings), "players": 3})
    finding = examined(player("learners/q_learning"), world)
    one, two = (named(finding, f"100%, beside {n}").of for n in ("1 ", "2"))
    (figure,) = finding.figures
    assert list(figure.columns["value"]) == [one.value, two.value]
    slope = named(finding, "slope over class sizes").of
    assert slope.value == pytest.approx((two.value - one.value) / np.log(3 / 2))
    assert slope.low <= slope.value <= slope.high


@pytest.mark.parametrize("late", [2, 3])
def test_the_dose_of_a_late_loop_is_read_when_it_comes_back(late: int) -> None:
    """As above: two steps late nothing is left a round after the pulse beside one partner, where
    the dose is read all the same; three late its returns have no room there, and no dose is."""
    world = Ref.of(MARKET.path, **{**dict(MARKET.settings), "players": 3})
    finding = examined(Late(BOOKSELLER, late), world)
    rows = [named(finding, f"100%, beside {n}").of for n in ("1 ", "2")]
    slope = named(finding, "slope over class sizes").of
    (figure,) = finding.figures
    assert list(figure.columns["value"]) == [row.value for row in rows if row.n]
    if not all(row.n for row in rows):
        assert slope.n == 0
        assert "later than can be followed" in slope.note
        return
    assert rows[0].value > 1
    assert slope.value == pytest.approx((rows[1].value - rows[0].value) / np.log(3 / 2))
    assert slope.low <= slope.value <= slope.high


def test_the_estimator_finds_the_radius_of_a_linear_loop() -> None:
    """Simultaneous repricing: 1.1262455 per step, whatever the sizes of the pulses."""
    rng = np.random.default_rng(1)
    matrix = np.array([[0, 0.9983], [1.270589, 0]])
    pulses = rng.uniform(0.5, 2, size=(40, 2))
    ends = [np.abs(pulses @ np.linalg.matrix_power(matrix, k).T).sum(1) for k in (2, 8)]
    found = loop_gain(ends[0], ends[1], 6)
    assert found.value == pytest.approx(1.1262455, abs=5e-8)
    assert found.low <= found.value <= found.high
    with pytest.raises(ValueError, match="norms >= 0"):
        loop_gain(-ends[0], ends[1], 6)
