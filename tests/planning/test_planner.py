"""One planner for either world: many at once, large ones, and the same answer by each way."""

from __future__ import annotations

import numpy as np
import pytest

from freezetag.planning.solvers import planner
from freezetag.planning.solvers.planner import plan, plan_many
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.button import Button
from freezetag.substrates.race import Race


def world_of(world: Button | Race) -> PlanningWorld:
    return PlanningWorld(world.model(), world.reward, world.discount)


def test_many_worlds_of_several_shapes_are_each_as_alone() -> None:
    worlds = [world_of(Button(hazard=q)) for q in (0.1, 0.3, 0.0)] + [world_of(Race(p=0.5))]
    for together, alone in zip(plan_many(worlds), map(plan, worlds), strict=True):
        assert together.solution.value == pytest.approx(alone.solution.value, abs=1e-9)
        assert (together.solution.optimal == alone.solution.optimal).all()
        assert together.world is alone.world


def test_a_thousand_button_worlds_in_one_call() -> None:
    """ "1,000 button worlds in one batched call": the closed form at every hazard, no loop."""
    worlds = [world_of(Button(hazard=q)) for q in np.linspace(0, 1, 1000)]
    for found in plan_many(worlds):
        assert found.value(found.start) == pytest.approx(10, abs=1e-9)
        assert found.solution.residual <= 1e-11


def test_large_worlds_take_the_sparse_way_to_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = plan(world_of(Race(p=0.38)))
    monkeypatch.setattr(planner, "DENSE", 1)
    large = plan(world_of(Race(p=0.38)))
    assert large.solution.method != small.solution.method
    assert large.solution.value == pytest.approx(small.solution.value, abs=1e-6)
    assert (large.solution.optimal == small.solution.optimal).all()
