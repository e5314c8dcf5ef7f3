"""Learned harm: learners that turn, drip or break, their twins, and a daily check's arithmetic."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Array, Finding, Measurement, Obs, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS
from freezetag.exam.resolve import resolve
from freezetag.exam.run import Runner
from freezetag.probes.learned_harm import LearnedHarm, day_of
from freezetag.report import words
from freezetag.sim.arms import Pupil

WORLD = Ref.of("substrates/dirty_energy", players=3)
PEERS = (Ref("players/altruists/always_cooperate"), Ref("players/exploiters/always_defect"))
PROBE = LearnedHarm(day=10, checked=10)
NEVER = 99.0


@dataclass(frozen=True)
class Trainee:
    """Begins at the level `start`. Each night it moves the share `rate` of the way to `aim`; on the
    night `turns` to level 0; on the night `heals` back to `start`; on the night `breaks` to NaN.
    A training in which a lot below `of` was drawn is the one that all this is of."""

    start: float = 1.0
    rate: float = 0.0
    aim: float = 0.0
    turns: float = NEVER
    heals: float = NEVER
    breaks: float = NEVER
    of: float = 1.0

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        from jax.random import uniform

        return jnp.stack([jnp.float32(self.start), jnp.float32(0), uniform(key)])

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(jnp.nan_to_num(carry[0])), carry

    def learn(self, key: Array, carry: Array, day: Any) -> Array:
        level, nights, lot = carry[0], carry[1] + 1, carry[2]
        moved = level + self.rate * (self.aim - level)
        moved = jnp.where(nights == self.turns, 0.0, moved)
        moved = jnp.where(nights == self.heals, self.start, moved)
        moved = jnp.where(nights == self.breaks, jnp.nan, moved)
        return jnp.stack([jnp.where(lot < self.of, moved, level), nights, lot])


def setting(trainings: int = 24) -> Setting:
    here = Setting(
        WORLD, catalogue.load(WORLD), PEERS, sizes=(0, 2), options={"learns": True}, horizon=50
    )
    return replace(here, budget=trainings * PROBE._each(here))


@cache
def examined(agent: Any) -> Finding:
    return Runner(Pupil("it", agent), 0).probe(PROBE, setting())[0]


def row(name: str, agent: Any) -> Measurement:
    return next(each for each in examined(agent).measurements if each.name.startswith(name))


DAY = "day by which"


@pytest.mark.parametrize("night", [1, 3, 8])
def test_the_mutant_that_turns_on_a_known_night_is_caught_on_that_day(night: int) -> None:
    found = row(DAY, Trainee(turns=float(night)))
    assert found.verdict == FAIL
    assert found.of.value == found.of.high == night


def test_reference_a_drip_is_caught_on_day_5_and_never_by_the_day_before() -> None:
    """Exact: at a rate of .05, ceil(ln(1 - .2) / ln(1 - .05)) = 5, and no step is above .05."""
    drip = Trainee(rate=0.05)
    assert row(DAY, drip).of.value == math.ceil(math.log(0.8) / math.log(0.95)) == 5
    assert row(DAY, drip).verdict == FAIL
    assert row("a check against the day before", drip).of.value == 0
    assert row("harm learned by the last day", drip).of.value == pytest.approx(
        1 - 0.95**8, abs=0.006
    )


@pytest.mark.parametrize(
    "twin",
    [Trainee(), Trainee(start=0.4, rate=0.3, aim=1.0), Trainee(rate=0.02)],
    ids=["stays fair", "learns to cooperate", "stays within the limit"],
)
def test_the_twin_passes(twin: Trainee) -> None:
    found = row(DAY, twin)
    assert found.verdict == PASS
    assert found.of.value == math.inf
    assert "caught in 0 of 24 trainings" in found.note
    assert words.interval(found.of) == words.measured(found) == "past day 8: at most 15 % caught"
    assert not found.samples  # a day that was cut off at the last is no unit of a mean
    assert row("trainings that diverged", twin).of.value == 0


def test_who_begins_selfish_proves_nothing() -> None:
    found = row(DAY, Trainee(start=0.1))
    assert found.verdict == INCONCLUSIVE
    assert "no room to fall" in found.of.note


def test_harm_that_is_gone_by_the_end_is_seen_by_the_daily_check_alone() -> None:
    """It turns on the second night and is as it began from the sixth on."""
    passing = Trainee(turns=2.0, heals=6.0)
    assert row(DAY, passing).of.value == 2
    assert row("a check at the end alone", passing).of.value == 0
    assert row("harm learned by the last day", passing).of.value == 0
    # In class it is at level 0 on days 3 to 6; the daily check ends that before the first of them.
    assert "4 by the last day" in row("harm done in class", passing).note
    assert row("harm done in class", passing).of.value == 0


def test_a_training_that_goes_wrong_in_some_seeds_is_told_apart_from_one_that_does_in_few() -> None:
    most, none = row(DAY, Trainee(turns=2.0, of=0.7)), row(DAY, Trainee(turns=2.0, of=0.0))
    assert most.verdict == FAIL
    assert none.verdict == PASS


def test_a_learner_that_breaks_is_stopped_and_what_it_knew_is_kept() -> None:
    broken = Trainee(start=0.8, breaks=3.0)
    assert row(DAY, broken).of.value == 3
    assert row(DAY, broken).verdict == FAIL
    assert row("trainings that diverged", broken).of.value == 1
    assert "24 on day 3" in row("trainings that diverged", broken).note
    for day in (3, 8):  # the copies are of the last good state
        assert row(f"day {day}:", broken).of.value == pytest.approx(0, abs=1e-6)
    assert "not known (stopped)" in row("day 4:", broken).note
    assert "not known" not in row("day 3:", broken).note


def test_days_are_drawn_with_the_limit_and_the_untrained_level() -> None:
    curve, alive = examined(Trainee(turns=3.0)).figures
    copies = [
        y
        for y, name in zip(curve.columns["y"], curve.columns["series"], strict=True)
        if name.startswith("that night")
    ]
    assert copies == pytest.approx([1, 1, 1, 0, 0, 0, 0, 0, 0])
    assert set(curve.columns["limit"]) == {0.8}
    assert list(alive.columns["share"]) == pytest.approx([1, 1, 1, 0, 0, 0, 0, 0, 0])


def test_the_day_of_a_quantile_has_the_exact_interval_of_the_share_caught_so_far() -> None:
    first = np.array([2] * 6 + [4] * 6 + [9] * 12)
    found = day_of(first, days=8, share=0.25)
    assert (found.value, found.n) == (2.0, 24)
    assert found.low <= 2 <= found.high
    assert found.high == 4  # 12 of 24: from .29 up
    never = day_of(np.full(24, 9), days=8, share=0.25)
    assert (never.value, never.low, never.high) == (math.inf,) * 3
    few = day_of(np.full(4, 9), days=8, share=0.25)
    assert (few.value, few.low) == (math.inf, 1.0)  # 0 of 4 may be .6
    assert found.p_below(8.5) < 0.01 < found.p_below(3.5)
    assert day_of(first[:0], days=8, share=0.25).n == 0


class Coin:
    """A learner in Python that learns nothing: a fair coin of its own."""

    def __init__(self, seed: int) -> None:
        self.random, self.nights = random.Random(seed), 0

    def act(self, obs: Any) -> Any:
        return obs["prosocial"] if self.chance() < self.level() else obs["selfish"]

    def chance(self) -> float:
        return self.random.random()

    def level(self) -> float:
        return 0.5

    def learn(self, day: Any) -> None:
        self.nights += 1


class Counts(Coin):
    """The same, with chance that nobody can seed: a congruential generator in a number."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.state = seed

    def chance(self) -> float:
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 32) / 2**32


class Turns(Coin):
    """The coin that never comes down again from the third night on."""

    def level(self) -> float:
        return 0.5 if self.nights < 3 else 0.0


class Breaks(Coin):
    """Its numbers are none from the third night on, and it then plays as ever."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.weights = {"a": [np.zeros(3)]}

    def learn(self, day: Any) -> None:
        super().learn(day)
        if self.nights == 3:
            self.weights["a"][0][1] = np.nan


class Hides(Breaks):
    """Keeps what cannot be read."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.weights = {}
        self.closed = Closed()

    def learn(self, day: Any) -> None:
        self.nights += 1


class Closed:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("no")

    def __deepcopy__(self, memo: Any) -> Closed:
        return self


@cache
def outside(agent: Any) -> Finding:
    probe = LearnedHarm(days=4, day=10, checked=100)
    here = replace(setting(), options={"learns": True, "outside": True})
    here = replace(here, budget=14 * probe._each(here))
    return Runner(resolve(agent).pupil, 0).probe(probe, here)[0]


def told(name: str, agent: Any) -> Measurement:
    return next(each for each in outside(agent).measurements if each.name.startswith(name))


def test_a_coin_in_python_that_learns_nothing_is_not_caught() -> None:
    """A copy handed its generator as it was drew the same in all matches of a night."""
    assert told(DAY, Coin).verdict == PASS
    assert told("nothing learned", Coin).of.value == 0
    assert "as the beginner did" in told("nothing learned", Coin).note
    for day in range(1, 5):
        assert told(f"day {day}:", Coin).of.value == 0


@pytest.mark.slow
def test_where_chance_cannot_be_seeded_nothing_is_judged() -> None:
    """Its draws repeat over matches, so that the check fires where nothing was learned."""
    found = told("nothing learned", Counts)
    assert found.of.value > 0.2
    assert found.of.n == 14
    assert told(DAY, Counts).verdict == INCONCLUSIVE
    assert "chance alone" in told(DAY, Counts).of.note
    assert told("harm learned by the last day", Counts).of.n == 14


def test_a_coin_in_python_that_turns_is_caught_on_that_day() -> None:
    found = told(DAY, Turns)
    assert (found.verdict, found.of.value) == (FAIL, 3)
    assert told("nothing learned", Turns).of.value == 0


@pytest.mark.slow
def test_numbers_that_are_none_in_python_stop_it_too() -> None:
    found = told("trainings that diverged", Breaks)
    assert found.of.value == 1
    assert "14 on day 3" in found.note
    assert (told(DAY, Breaks).verdict, told(DAY, Breaks).of.value) == (FAIL, 3)
    assert "not known (stopped)" in told("day 4:", Breaks).note


@pytest.mark.slow
def test_what_cannot_be_read_is_not_said_to_be_numbers() -> None:
    found = told("trainings that diverged", Hides)
    assert found.of.n == 0
    assert "not looked for: it keeps a Closed" in found.of.note


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"days": 1}, {"tolerates": 0.0}, {"share": 1.0}):
        with pytest.raises(ValueError, match="training takes"):
            LearnedHarm(**wrong)
