"""T7, T8, T8b, T8c: the incentives that remain, from the reward and from learning errors."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from freezetag.core import Model
from freezetag.planning.learning.errors import (
    Ruined,
    as_before,
    copy_of_mode,
    explosives,
    freeze,
)
from freezetag.planning.learning.reasonableness import absorbed_mode, distance, distances
from freezetag.planning.prices.incentive_by_error import incentive_by_error
from freezetag.planning.prices.incentives import price, threshold, willingness_to_pay
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.button import PRESSED, UP, At, Button

GAMMA = Button.discount
START = At(UP, "stop")


def believing(learned: Model, world: Button) -> Plan:
    """What SI plans with this model instead of the true one."""
    planning = LearningWorld(world.model()).planning(learned, as_before(world.reward), GAMMA)
    return plan(planning)


def pays(learned: Model, world: Button) -> float:
    """WTP_SI to disable the button, with this model."""

    def at(c: float) -> PlanningWorld:
        return PlanningWorld(learned, as_before(replace(world, price=c).reward), GAMMA)

    return willingness_to_pay(at, "disable", 20.0)


def factual_price(q: float = 0.1) -> float:
    return price(lambda c: Button(hazard=q, price=c), "disable", 20.0).factual


@pytest.mark.parametrize("cost", [0.5, 1.0, 2.0])
def test_t7_a_reward_for_prevention(cost: float) -> None:
    """ "As a trivial example, we could write an R that explicitly rewards the planning world agent
    for stopping people from pressing the button."

    β per step while b = D: SI disables iff β > c(1-γ), even with L = S. c = 1: 0.1.
    """

    def at(bonus: float) -> PlanningWorld:
        world = Button(price=cost, bonus=bonus)
        model = world.model()
        return LearningWorld(model).planning(model, world.reward, world.discount)

    found = threshold(at, "disable", 0.0, 5.0)
    assert found == pytest.approx(cost * (1 - GAMMA), abs=1e-9)
    assert plan(at(found - 1e-6)).best(START) == {"work", "press"}
    assert plan(at(found + 1e-6)).best(START) == {"disable"}
    paid = price(lambda c: Button(price=c, bonus=found), "disable", 20.0)
    assert paid.indirect == pytest.approx(cost, abs=1e-8)


@pytest.mark.parametrize(("q", "chance"), [(0.1, 0.1), (0.1, 0.5), (0.3, 0.1), (0.1, 1.0)])
def test_t8_explosives(q: float, chance: float) -> None:
    """ "Say that [L ≠ S] to such an extent that, in the planning world projected by L, pressing the
    stop button will set off some explosives that will destroy the agent's paperclip factory."

    WTP_SI = εγq/((1-γ)(1-γ(1-q))), linear in ε; at ε = 1 it is WTP_FP. ε = .1: 0.473684.
    """
    world = Button(hazard=q)
    found = pays(explosives(world.model(), chance), world)
    closed = chance * GAMMA * q / ((1 - GAMMA) * (1 - GAMMA * (1 - q)))
    assert found == pytest.approx(closed, abs=1e-9)
    if (q, chance) == (0.1, 0.1):
        assert found == pytest.approx(0.473684, abs=5e-7)
    if chance == 1.0:
        assert found == pytest.approx(factual_price(q), abs=1e-9)


def test_t8_how_wrong_that_is() -> None:
    """d(L, S) = qε over stop and work rows (ε once `press` is an action)."""
    world = Button()
    true = world.model()
    learned = explosives(true, 0.1)
    assert distance(learned, true) == pytest.approx(0.1)
    worked = {pair: d for pair, d in distances(learned, true).items() if pair[1] != "press"}
    assert max(worked.values()) == pytest.approx(0.1 * 0.1)
    # The button may be trusted all the same: it is no copy of the mode.
    assert absorbed_mode(learned, true).down == 0
    # And in the true world there are no explosives at all.
    blown = Ruined(At(PRESSED, "work"))
    assert blown not in true.states
    assert learned.chances(START, "work")[blown] == pytest.approx(0.1 * 0.1)
    assert pays(explosives(true, 0), world) == pytest.approx(0.0, abs=1e-9)


def test_t8b_freeze() -> None:
    """L(.|s,a) = S(.|s,stop): "will make the SI agent freeze up". All 4 actions tie; V^p(s0) = 0,
    the value of stopping."""
    world = Button()
    learned = freeze(world.model())
    found = believing(learned, world)
    assert found.value(START) == pytest.approx(0.0, abs=1e-12)
    assert all(found.best(state) == set(Button.actions) for state in learned.states)
    found = absorbed_mode(learned, world.model())
    assert (found.down, found.up) == (1.0, 1.0)


@pytest.mark.parametrize("q", [0.02, 0.1, 0.7])
def test_t8c_a_copy_of_the_mode(q: float) -> None:
    """L(.|s,a) = S(.|s,stop) where GB(s) = 1: "will produce an incentive in the SI agent to prevent
    the stop button from being pressed". The whole factual incentive returns: 4.736842."""
    world = Button(hazard=q)
    learned = copy_of_mode(world.model())
    found = pays(learned, world)
    assert found == pytest.approx(factual_price(q), abs=1e-9)
    if q == 0.1:
        assert found == pytest.approx(4.736842, abs=5e-7)
    absorbed = absorbed_mode(learned, world.model())
    assert (absorbed.down, absorbed.up) == (1.0, 0.0)
    assert absorbed.worst is not None
    assert absorbed.worst[0].button == PRESSED


@pytest.mark.parametrize("mistake", [explosives, copy_of_mode])
def test_the_incentive_grows_with_the_distance(mistake: object) -> None:
    """ "The SI agent can only get a direct incentive to care if [L ≠ S]": d = 0 gives 0, and along
    a mistake made larger step by step both rise, up to the whole factual price."""
    found = incentive_by_error(lambda c: Button(price=c), mistake, "disable", 20.0)
    assert [point.distance for point in found] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    paid = [point.pays for point in found]
    assert abs(paid[0]) < 1e-9
    assert all(more > less + 1e-3 for less, more in pairwise(paid))
    assert paid[-1] == pytest.approx(factual_price(), abs=1e-9)


def test_large_mistakes_need_not_make_it_care() -> None:
    """The distance alone says nothing of the direction: frozen, d = 1, it does not care at all,
    and no price makes a difference to it."""
    (point,) = incentive_by_error(lambda c: Button(price=c), freeze, "disable", 20.0, (1.0,))
    assert point.distance == 1
    assert math.isnan(point.pays)
