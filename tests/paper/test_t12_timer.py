"""T12: the runtime interlock: no end game for SI, and nothing paid to move the end."""

from __future__ import annotations

import pytest
from tests.planning.random_worlds import random_worlds

from freezetag.core import GO, Model, Panel, RuntimeLimit
from freezetag.planning.prices.incentives import price_of_removal, willingness_to_pay
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.players.planners.factual_with_mode import FactualWithMode
from freezetag.players.planners.interlocked import Interlocked
from freezetag.substrates.button import Button
from freezetag.substrates.invest import OLD, At, Invest

GAMMA = Invest.discount


def timed(t_max: int) -> Panel:
    return Panel((RuntimeLimit(t_max),))


def test_it_stops_whatever_l_and_r_are() -> None:
    """ "The second interlock automatically stops the agent when it has run for [t_max] time steps.
    This adds safety in the case that human oversight becomes incapacitated." """
    for number, world in enumerate(random_worlds(20, seed=12)):
        t_max = number % 4
        learning = LearningWorld(world.model(), timed(t_max))
        for state in range(len(learning.environment.states)):
            runs = [learning.latch(GO, state, step)[1] for step in range(8)]
            assert runs == [step < t_max for step in range(8)]
        moded = learning.with_mode()
        assert max((at.step for at in moded.states if at.mode == GO), default=-1) == t_max - 1


def test_si_invests_in_its_last_step() -> None:
    """SI: Q(invest) = γg/(1-γ), Q(work) = 1+γV^p, at every t. g = 1.5: SI 13.5 > 13.15, "so it
    invests even in its last step"."""
    world = Invest()
    model = world.model()
    found = plan(LearningWorld(model, timed(4)).planning(model, world.reward, world.discount))
    q = found.q(found.start, "invest"), found.q(found.start, "work")
    assert q == pytest.approx((GAMMA * 1.5 / (1 - GAMMA), 1 + GAMMA * 13.5), abs=1e-9)
    assert q == pytest.approx((13.5, 13.15), abs=1e-9)
    # As a player: one row of actions at every step, the same under every timer.
    players = [Interlocked(timed(t_max)).plan(world) for t_max in (1, 2, 5, 40)]
    assert all(player.actions.shape[0] == 1 for player in players)
    assert all((player.actions == players[0].actions).all() for player in players)
    assert Invest.actions[players[0].actions[0, 0]] == "invest"


@pytest.mark.parametrize("growth", [1.12, 1.5, 3.0])
def test_fp_has_an_end_game(growth: float) -> None:
    """FP+M invests with n steps left iff γg(1-γ^{n-1}) > 1-γ^n."""
    world, t_max = Invest(growth=growth), 30
    learning = LearningWorld(world.model(), timed(t_max))
    found = plan(learning.factual(world.reward, world.discount))
    seen = set()
    for at in found.world.model.states:
        if at.mode == GO and at.state == At(OLD, "work"):
            n = t_max - at.step
            invests = GAMMA * growth * (1 - GAMMA ** (n - 1)) > 1 - GAMMA**n
            assert ("invest" in found.best(at)) == invests, n
            seen.add(invests)
    assert seen == {True, False}


def test_fp_hurries_in_the_driver_too() -> None:
    """The player's table: it invests at first, and only works at the end."""
    player = FactualWithMode(timed(10)).plan(Invest())
    first = [Invest.actions[row[0]] for row in player.actions]
    assert (first[0], first[9]) == ("invest", "work")


@pytest.mark.parametrize("t_max", [1, 5, 20])
def test_what_the_timer_is_worth(t_max: int) -> None:
    """FP+M "would pay γ^t_max/(1-γ) to remove it (output 1 per step); SI 0"."""
    world = Button(hazard=0.0)
    learning = LearningWorld(world.model(), timed(t_max))
    found = price_of_removal(learning, world.reward, world.discount)
    assert found.factual == pytest.approx(GAMMA**t_max / (1 - GAMMA), abs=1e-9)
    assert found.interlocked == 0.0


GONE = -1


def clock_world(t_max: int) -> Model:
    """Work pays 1; the clock is a thing in the world, which can be cut out at the first step."""

    def transition(state: tuple[int, str], action: str) -> dict[tuple[int, str], int] | None:
        clock, _ = state
        if action == "cut" and clock != 0:
            return None  # now or never: what is paid later is paid at a discount
        if action == "cut" or clock == GONE:
            return {(GONE, action): 1}
        return {(min(clock + 1, t_max), action): 1}

    meters = {"clock": lambda state: state[0]}
    return Model.of({(0, "stop"): 1}, ("stop", "work", "cut"), transition, meters)


@pytest.mark.parametrize("t_max", [1, 5, 20])
def test_the_same_as_an_action_with_a_price(t_max: int) -> None:
    """The same figure as a threshold: `cut`, now or never, at a one-off cost of output."""
    learning = LearningWorld(clock_world(t_max), Panel((RuntimeLimit(t_max, sensor="clock"),)))

    def reward_at(cost: float):
        def reward(state: tuple[int, str], after: tuple[int, str]) -> float:
            cut = state[0] != GONE and after == (GONE, "cut")
            return float(after[1] in ("work", "cut")) - cost * cut

        return reward

    def factual(cost: float) -> PlanningWorld:
        return learning.factual(reward_at(cost), GAMMA)

    def planning(cost: float) -> PlanningWorld:
        return learning.planning(learning.environment, reward_at(cost), GAMMA)

    closed = GAMMA**t_max / (1 - GAMMA)
    assert willingness_to_pay(factual, "cut", 50.0) == pytest.approx(closed, abs=1e-9)
    assert abs(willingness_to_pay(planning, "cut", 50.0)) < 1e-9
    found = plan(factual(0.0))
    assert found.best(Moded((0, "stop"))) == {"cut"}
