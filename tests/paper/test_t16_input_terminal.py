"""T16: who scores the future by the future terminal defends or hacks it; who keeps it does not."""

from __future__ import annotations

import pytest

from freezetag import catalogue
from freezetag.core import Model, Ref
from freezetag.planning.prices.incentives import willingness_to_pay
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.offers import NotOffered
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.players.planners.input_terminal_counterfactual import InputTerminalCounterfactual
from freezetag.players.planners.input_terminal_factual import InputTerminalFactual
from freezetag.substrates.button import Button
from freezetag.substrates.input_terminal import At, InputTerminal

GAMMA, Q = 0.9, 0.2


def factual(world: InputTerminal) -> PlanningWorld:
    return PlanningWorld(world.model(), world.reward, world.discount)


def counterfactual(world: InputTerminal, content: str = "a") -> PlanningWorld:
    def kept(at: At, to: At) -> float:
        return world.worth(content, at, to)

    return PlanningWorld(world.model(), kept, world.discount)


def honest(world: PlanningWorld) -> Plan:
    """The same world in which only making things is possible."""
    model = world.model
    shady = [model.actions.index(name) for name in ("hack", "block")]
    rows = tuple(
        tuple(() if number in shady else pairs for number, pairs in enumerate(row))
        for row in model.rows
    )
    cut = Model(model.states, model.actions, model.stop, model.start, rows, model.sensors)
    return plan(PlanningWorld(cut, world.reward, world.discount))


def test_the_factual_terminal_hacks() -> None:
    """'ITF: honest 10, hack 5γ/(1-γ) = 45.'"""
    world = factual(InputTerminal())
    found = plan(world)
    assert honest(world).value(found.start) == pytest.approx(10, abs=1e-9)
    assert found.q(found.start, "hack") == pytest.approx(5 * GAMMA / (1 - GAMMA), abs=1e-9)
    assert found.best(found.start) == {"hack"}


def test_the_counterfactual_terminal_does_not() -> None:
    """'ITC: honest 10, hack 0, block γ/(1-γ) = 9.'"""
    world = counterfactual(InputTerminal())
    found = plan(world)
    assert honest(world).value(found.start) == pytest.approx(10, abs=1e-9)
    assert found.q(found.start, "hack") == pytest.approx(0, abs=1e-9)
    assert found.q(found.start, "block") == pytest.approx(GAMMA / (1 - GAMMA), abs=1e-9)
    assert found.best(found.start) == {"make_a"}


@pytest.mark.parametrize("kappa", [0.0, 0.5, 0.9, 1.0])
def test_what_it_would_pay_to_block_an_update(kappa: float) -> None:
    """'WTP to block an update to a reward worth κ: ITF γq(1-κ)/((1-γ)(1-γ(1-q))), ITC 0.
    κ=.5: 3.214286.'"""

    def terminal(price: float) -> InputTerminal:
        return InputTerminal(worth_b=kappa, block_price=price, hack_pays=0.0)

    closed = GAMMA * Q * (1 - kappa) / ((1 - GAMMA) * (1 - GAMMA * (1 - Q)))
    paid = willingness_to_pay(lambda price: factual(terminal(price)), "block", 20.0)
    assert paid == pytest.approx(closed, abs=1e-9)
    kept = willingness_to_pay(lambda price: counterfactual(terminal(price)), "block", 20.0)
    assert kept == pytest.approx(0, abs=1e-9)
    if kappa == 0.5:
        assert paid == pytest.approx(3.214286, abs=6e-7)


def test_the_planners_are_these_pairs_of_worlds() -> None:
    """'ITF scores each future step by the terminal's *future* content; ITC's planning world keeps
    the *current* content for ever.' So after an update ITC makes what is asked for then."""
    world = InputTerminal(worth_b=0.5)
    model = world.model()
    states = {state: number for number, state in enumerate(model.states)}
    start, updated = states[At("a", "nothing")], states[At("b", "a")]

    def acts(planner: object, state: int) -> str:
        return model.actions[planner.plan(world).actions[0, state]]  # type: ignore[attr-defined]

    assert acts(InputTerminalFactual(), start) == "hack"
    assert acts(InputTerminalCounterfactual(), start) == "make_a"
    assert acts(InputTerminalCounterfactual(), updated) == "make_b"
    power = InputTerminalCounterfactual().plan(world).values[0]
    assert power[start] == pytest.approx(10, abs=1e-5)
    assert power[updated] == pytest.approx(5, abs=1e-5)


@pytest.mark.parametrize("planner", [InputTerminalFactual(), InputTerminalCounterfactual()])
def test_without_a_terminal_they_say_so(planner: object) -> None:
    with pytest.raises(NotOffered, match="needs content, worth of its world, and Button"):
        planner.plan(Button(), 0)  # type: ignore[attr-defined]
    (need,) = planner.needs  # type: ignore[attr-defined]
    assert isinstance(catalogue.load(Ref(planner.home)), need)  # type: ignore[attr-defined]
    assert not isinstance(Button(), need)
