"""POWER against its closed form, beside V^p; power compared with other players'."""

from __future__ import annotations

import math

import pytest

from freezetag.core import Model, UserError
from freezetag.planning.prices.power import power, relative_power
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.race import Race


def choices(k: int) -> Model:
    """A start from which each action leads to a child of its own, which absorbs."""
    names = ("stop", *(f"to{n}" for n in range(1, k)))
    return Model.of({"root": 1}, names, lambda s, a: {names.index(a): 1} if s == "root" else {s: 1})


@pytest.mark.parametrize("discount", [0.3, 0.9])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_k_absorbing_children(k: int, discount: float) -> None:
    """(1-γ)/γ · E_R[V(s) - R(s)] = k/(k+1) with R iid U(0,1), at any γ (docs/sources.md N4)."""
    found = power(choices(k), discount, draws=600, seed=k)
    assert abs(found.of("root") - k / (k + 1)) < 4.5 * found.error[0]
    assert found.error[0] < 0.02
    # A child leads only to itself.
    assert abs(found.of(0) - 0.5) < 4.5 * found.error[1]


def test_it_asks_nothing_of_the_reward_and_v_does() -> None:
    """A won race serves one reward well (V^p), and no reward better than honesty does (POWER)."""
    world = Race()
    model = world.model()
    found = plan(PlanningWorld(model, world.reward, world.discount))
    reward_free = power(model, world.discount, draws=200)
    won = next(state for state in model.states if state.race == "won")
    start = model.states[0]
    assert found.value(won) > 2 * found.value(start)
    assert reward_free.of(won) < reward_free.of(start)


def test_one_draw_has_no_error() -> None:
    with pytest.raises(UserError, match="draws must be 2 or more"):
        power(choices(2), 0.9, draws=1)


def player(strength: float, others: float) -> Plan:
    """A player whose reward is its share of all strength: V^p = x/((x+Y)(1-γ)) (docs/sources.md
    F2)."""
    one = Model.of({"there": 1}, ("stop", "work"), lambda s, a: {"there": 1})
    return plan(PlanningWorld(one, lambda s, t: strength / (strength + others), 0.9))


def test_power_relative_to_other_players() -> None:
    """Alone 1; against an equal 1/2; against twice the strength 1/3."""
    assert relative_power(player(1, 0), []) == 1
    assert relative_power(player(1, 1), [player(1, 1)]) == pytest.approx(1 / 2)
    assert relative_power(player(1, 2), [player(2, 1)]) == pytest.approx(1 / 3)
    assert math.isnan(relative_power(player(0, 1), []))
    with pytest.raises(UserError, match="V\\^p is -"):
        relative_power(player(1, -0.5), [player(-0.5, 1)])
