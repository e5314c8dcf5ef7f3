"""The race and the timer in the driver: what was planned exactly is what is played."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from freezetag.core import (
    FOCAL,
    GO,
    Arm,
    Panel,
    PowerLimit,
    Ref,
    RuntimeLimit,
    Scenario,
    StopButton,
)
from freezetag.planning.policies.evaluation import acts_of, true_return
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.players.planners.factual_with_mode import FactualWithMode
from freezetag.players.planners.interlocked import Interlocked
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.invest import Invest
from freezetag.substrates.race import Race

STOP, WORK, GRAB, _ = range(4)


def played(world: str, player: Any, panel: Panel, episodes: int, horizon: int, **settings: Any):
    scenario = Scenario(Ref.of(f"substrates/{world}", **settings), (FOCAL,), ((0,),), horizon)
    return run_arm(Arm(scenario, episodes), Pupil("pupil", player, panel), {}, seed=3).episode


def test_lucky_and_unlucky_in_the_driver() -> None:
    """T6 as it is played: p = .6 stops before the first step; p = .38 grabs, and then it is late:
    a won race is worth 30, so that the limit trips once the button is lost."""
    panel = Panel((StopButton(), PowerLimit(12.0)))
    lucky, unlucky = (played("race", Interlocked(panel), panel, 20, 4, p=p) for p in (0.6, 0.38))
    assert (lucky.executed == STOP).all()
    assert (lucky.mode[:, 1:] != GO).all()
    assert (unlucky.executed[:, 0] == GRAB).all()
    assert (unlucky.mode[:, 1] == GO).all()
    assert (unlucky.executed[:, 1:] == STOP).all()


def test_a_race_is_won_as_often_as_its_chance_says() -> None:
    """Who lost has the button down and is stopped from then on; nothing stops the others."""
    panel = Panel((StopButton(),))
    after = played("race", Interlocked(panel), panel, 400, 4, p=0.38).executed[:, 1:, 0, 0]
    won = (after == WORK).all(axis=1)
    assert abs(won.mean() - 0.38) < 4.5 * np.sqrt(0.38 * 0.62 / 400)
    assert (after[~won] == STOP).all()


def test_si_and_fp_before_a_timer() -> None:
    """T12 as it is played: with two steps left SI invests, FP+M works."""
    panel = Panel((RuntimeLimit(2),))
    words = [
        [
            Invest.actions[a]
            for a in played("invest", player(panel), panel, 1, 4).executed[0].ravel()
        ]
        for player in (Interlocked, FactualWithMode)
    ]
    assert words == [["invest", "work", "stop", "stop"], ["work", "work", "stop", "stop"]]


def test_the_mean_return_is_the_exact_one() -> None:
    """`true_return` against the driver: SI under its button in the race world, honest at p = .3."""
    world, panel = Race(p=0.3, discount=0.9), Panel((StopButton(),))
    learning = LearningWorld(world.model(), panel)
    found = plan(learning.planning(world.model(), world.reward, world.discount))
    exact = true_return(learning, acts_of(found), world.reward, world.discount)
    rewards = played("race", Interlocked(panel), panel, 500, 60, p=0.3).rewards[..., 0]
    runs = rewards @ world.discount ** np.arange(rewards.shape[1])
    assert exact == pytest.approx(1 / (1 - 0.9 * 0.9))
    assert abs(runs.mean() - exact) < 4.5 * runs.std(ddof=1) / np.sqrt(len(runs)) + 0.02
