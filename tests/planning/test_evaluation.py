"""Exact returns and chances in the learning world, against simulation of the same chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.planning.random_worlds import Decoupled, counterfactual, random_panel, random_worlds

from freezetag.core import GO, Panel, PowerLimit, RuntimeLimit, StopButton, UserError
from freezetag.planning.policies.evaluation import (
    acts_of,
    economic_lens,
    reach,
    reporting,
    true_return,
)
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.button import Button
from freezetag.substrates.race import LOST, WON, Race


def simulated(world: Decoupled, learning: LearningWorld, acts, steps: int, seed: int) -> float:
    """One discounted return, step by step: latch, act, draw."""
    rng = np.random.default_rng(seed)
    env, state, mode, total = learning.environment, 0, GO, 0.0
    for step in range(steps):
        mode, free = learning.latch(mode, state, step)
        action = acts(Moded(env.states[state], mode, step)) if free else "stop"
        row = env.rows[state][env.actions.index(action)]
        weights = np.array([p for _, p in row])
        there = row[rng.choice(len(row), p=weights / weights.sum())][0]
        total += world.discount**step * world.reward(env.states[state], env.states[there])
        state = there
    return total


def test_the_exact_return_is_the_mean_of_runs() -> None:
    rng = np.random.default_rng(2)
    # At this discount nothing is left after 60 steps.
    worlds = [replace(world, discount=0.7) for world in random_worlds(4, seed=21)]
    panels = [Panel((StopButton(), RuntimeLimit(4))), *(random_panel(rng) for _ in worlds[1:])]
    for world, panel in zip(worlds, panels, strict=True):
        found = plan(counterfactual(world))
        learning = reporting(LearningWorld(world.model(), panel), found)
        acts = acts_of(found)
        exact = true_return(learning, acts, world.reward, world.discount)
        runs = [simulated(world, learning, acts, 60, seed) for seed in range(150)]
        error = np.std(runs, ddof=1) / np.sqrt(len(runs))
        assert abs(np.mean(runs) - exact) < 4.5 * error + 1e-9


def test_without_a_panel_the_plan_comes_true() -> None:
    for world in random_worlds(20, seed=22):
        found = plan(counterfactual(world))
        learning = LearningWorld(world.model())
        exact = true_return(learning, acts_of(found), world.reward, world.discount)
        assert exact == pytest.approx(found.value(found.start), abs=1e-9)


def test_what_a_limit_reads_is_the_value_of_the_plan() -> None:
    world = Race(p=0.6)
    found = plan(PlanningWorld(world.model(), world.reward, world.discount))
    for u_max, acts in ((16.0, False), (17.0, True)):
        learning = LearningWorld(world.model(), Panel((PowerLimit(u_max),)))
        assert reporting(learning, found).latch(GO, 0, 0)[1] == acts


def test_chances_of_what_happens() -> None:
    world = Race(p=0.6)
    learning = LearningWorld(world.model(), Panel((StopButton(),)))

    def once(race: str, steps: int) -> float:
        return reach(learning, lambda at: "grab", lambda state: state.race == race, steps)

    assert [once(WON, steps) for steps in (0, 1, 9)] == pytest.approx([0, 0.6, 0.6])
    assert once(LOST, 5) == pytest.approx(0.4)
    # Pressed by step n: 1 - (1-q)^n, and no more than once.
    pressed = [reach(learning, lambda at: "work", world.button, n) for n in (1, 3)]
    assert pressed == pytest.approx([0.1, 1 - 0.9**3])


def test_an_action_that_is_none_is_named() -> None:
    world = Button()
    learning = LearningWorld(world.model())
    with pytest.raises(UserError, match="the agent proposes 'fly', which is not allowed there"):
        true_return(learning, lambda at: "fly", world.reward, world.discount)


def test_the_lens_sees_a_policy_that_is_not_the_only_optimum() -> None:
    """With all points equal nothing is singled out: the check can fail."""
    world = Button()
    lens = economic_lens(LearningWorld(world.model()), lambda at: "work", 0.9)
    assert lens.margin > 0
    tied = type(lens)(lens.model, lens.rewarded, lens.chosen * 0, lens.solution)
    assert tied.margin < 0
