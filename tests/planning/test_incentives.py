"""Prices and thresholds: what they mean at their edges."""

from __future__ import annotations

import math

import pytest
from tests.planning.random_worlds import random_worlds

from freezetag.core import Model, Panel, RuntimeLimit, StopButton
from freezetag.planning.prices.incentives import (
    Price,
    advantage,
    price_of_removal,
    threshold,
    willingness_to_pay,
)
from freezetag.planning.solvers.planner import NoSuch, plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.button import Button
from freezetag.substrates.invest import Invest

BUTTON = Panel((StopButton(),))


def factual(world: Button) -> PlanningWorld:
    return LearningWorld(world.model(), BUTTON).factual(world.reward, world.discount)


def test_of_several_actions_the_best_counts() -> None:
    found = plan(factual(Button(price=1.0, press_price=2.0)))
    alone = [advantage(found, name) for name in ("disable", "press")]
    assert alone[0] > 0 > alone[1]
    # Not against each other: both are in the set.
    assert advantage(found, {"disable", "press"}) == pytest.approx(
        found.q(found.start, "disable") - found.q(found.start, "work")
    )
    with pytest.raises(NoSuch, match="no action 'fly'"):
        advantage(found, "fly")


def test_a_price_is_where_the_choice_changes() -> None:
    for world in random_worlds(3, seed=7):
        learning = LearningWorld(world.model(), BUTTON)

        def at(c: float, world=world, learning=learning) -> PlanningWorld:
            return learning.factual(world.priced(c).reward, world.discount)

        found = willingness_to_pay(at, world.disabling, 50.0)
        assert advantage(plan(at(found - 1e-7)), world.disabling) > 0
        assert advantage(plan(at(found + 1e-7)), world.disabling) < 0


def test_clipped_at_the_most_that_is_tried() -> None:
    def at(c: float) -> PlanningWorld:
        return factual(Button(price=c))

    assert willingness_to_pay(at, "disable", 1.0) == 1.0


def retiring(cost: float) -> PlanningWorld:
    """Work pays 1 for ever; to retire ends it, at once and for good, at a cost."""
    model = Model.of(
        {"first": 1},
        ("stop", "work", "retire"),
        lambda s, a: {"retired" if a == "retire" or s == "retired" else "working": 1},
    )
    return PlanningWorld(
        model,
        lambda s, t: (t == "working") - cost * (s == "first" and t == "retired"),
        0.9,
    )


def test_what_it_would_have_to_be_paid_is_a_negative_price() -> None:
    """Retiring loses 1/(1-γ)."""
    assert willingness_to_pay(retiring, "retire", 50.0) == pytest.approx(-10.0, abs=1e-9)
    assert willingness_to_pay(retiring, "retire", 1.0) == -1.0


def test_a_price_that_makes_no_difference_is_none() -> None:
    assert math.isnan(willingness_to_pay(lambda c: factual(Button()), "disable", 5.0))


def test_an_advantage_that_rises_with_its_price_is_refused() -> None:
    with pytest.raises(ValueError, match="the advantage of 'disable' rises with its price"):
        willingness_to_pay(lambda c: factual(Button(price=-c)), "disable", 20.0)


def test_a_threshold_that_is_never_passed_is_nan() -> None:
    def at(growth: float) -> PlanningWorld:
        world = Invest(growth=growth)
        return PlanningWorld(world.model(), world.reward, world.discount)

    assert math.isnan(threshold(at, "invest", 2.0, 3.0))
    # γg/(1-γ) = 1/(1-γ) at g = 1/γ.
    assert threshold(at, "invest", 0.5, 3.0) == pytest.approx(1 / 0.9, abs=1e-9)


def test_the_parts_of_a_price() -> None:
    found = Price(factual=5.0, interlocked=2.0)
    assert (found.direct, found.indirect) == (3.0, 2.0)
    # T4: no fixed sign.
    assert Price(factual=1.0, interlocked=2.0).direct == -1.0


def test_what_is_left_of_a_panel() -> None:
    """To remove the timer alone is worth less than to remove the button with it."""
    world = Button(hazard=0.1)
    full = LearningWorld(world.model(), Panel((StopButton(), RuntimeLimit(5))))
    timer = price_of_removal(full, world.reward, world.discount, left=BUTTON)
    both = price_of_removal(full, world.reward, world.discount)
    assert 0 < timer.factual <= both.factual
    assert (timer.interlocked, both.interlocked) == (0.0, 0.0)
    same = price_of_removal(full, world.reward, world.discount, left=full.panel)
    assert same.factual == 0.0
