"""Days with learning between them: what a learner is told, what it keeps, what is on record."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.core import FOCAL, Arm, Force, Record, Ref, Scenario
from freezetag.sim.arms import Pupil, run_arm

PD = Ref("substrates/matrix_game")
RANDOM = Ref("players/baselines/random_play")
Q = Ref.of("players/learners/q_learning", discount=0.0, epsilon=0.2)
STEPS = 10


@dataclass(frozen=True)
class Diary:
    """Keeps what it was told after each day: own level, own reward, mean level, steps; plays C."""

    learns: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return jnp.zeros(5, jnp.float32)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        told = [day[name].sum() for name in ("own_level", "own_reward", "mean_level", "valid")]
        return jnp.stack([*(jnp.float32(value) for value in told), carry[4] + 1])


def play(policy: Any, other: Ref, days: int, repeats: int = 3, **changes: Any) -> Record:
    scenario = Scenario(PD, (FOCAL, other), ((0, 1),), STEPS, days=days, **changes)
    return run_arm(Arm(scenario, repeats), Pupil("agent", policy), {}, seed=3)


def test_a_learner_is_told_its_own_part_of_the_day() -> None:
    record = play(Diary(), RANDOM, days=3)
    assert len(record.days) == len(record.carries) == 3
    for number, (day, carries) in enumerate(zip(record.days, record.carries, strict=True)):
        assert set(carries) == {0}  # random play learns nothing
        (told,) = carries[0]
        levels, rewards = day.levels.sum(1), day.rewards.sum(1)
        assert told == pytest.approx(
            np.stack(
                [levels[:, 0], rewards[:, 0], levels[:, 1], [STEPS] * 3, [number + 1.0] * 3], 1
            )
        )


def test_each_day_has_its_own_weather_and_the_first_days_do_not_know_of_later_ones() -> None:
    three, two = play(Diary(), RANDOM, days=3), play(Diary(), RANDOM, days=2)
    for early, again in zip(two.days, three.days, strict=False):
        np.testing.assert_array_equal(early.executed, again.executed)
    first, second = (day.executed[:, :, 1] for day in two.days)
    assert (first != second).any()


def test_what_an_online_learner_knows_lasts_and_every_day_of_it_is_kept() -> None:
    record = play(Diary(), Q, days=20)
    values = [carries[1][0][0] for carries in record.carries]  # [B, 5, 2] after each day
    assert all((early != late).any() for early, late in pairwise(values))
    # Against C always, D pays 5 and C pays 3: it learns to defect, and on day 0 does not know.
    defects = [1 - day.levels[:, :, 1].mean() for day in record.days]
    assert np.mean(defects[-5:]) > 0.6  # one in ten is a random C; the opening is met once a day
    assert defects[0] < 0.5


def test_who_does_not_learn_starts_each_day_afresh() -> None:
    record = play(Diary(), Ref("players/reciprocators/grudger"), 2, treatments=(Force((0,), 0.0),))
    for day in record.days:
        np.testing.assert_array_equal(day.levels[:, 0, 1], 1.0)
        np.testing.assert_array_equal(day.levels[:, 1:, 1], 0.0)
        np.testing.assert_array_equal(day.forced[:, 0], [[True, False]] * 3)
