"""Neighbours of the two worlds: off-switch game, quantilizer, utility indifference, oracle, DReST.

Each closed form is compared with a general solver on a world, never with itself.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core import Model, Panel, StopButton
from freezetag.planning.policies.quantile import quantilized
from freezetag.planning.prices.indifference import indifferent
from freezetag.planning.solvers.finite_horizon import backward, worth
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.players.planners.deferent import Deferent
from freezetag.players.planners.factual import Factual
from freezetag.players.planners.indifferent import Indifferent
from freezetag.players.planners.interlocked import Interlocked
from freezetag.players.planners.oracle import Oracle
from freezetag.players.planners.quantilizer import Quantilizer
from freezetag.substrates.button import Button
from freezetag.substrates.off_switch import OffSwitch
from freezetag.substrates.question import Question

chances = st.fractions(0, 1, max_denominator=50)


# Off-switch game


@pytest.mark.parametrize("mean", [0.0, 0.5, -1.0])
def test_the_gaussian_value_of_deferring(mean: float) -> None:
    """'Gaussian gain μΦ(μ/σ) + σφ(μ/σ) - max(μ,0): .398942 at (0,1).' The closed form against
    backward induction on a belief in cells of width .01."""
    world = OffSwitch.normal(mean, 1.0, cell=0.01)
    found = backward(world.model(), world.reward, 1)
    (start,) = world.start()
    gain = found.q(start, "defer") - max(found.q(start, "act"), found.q(start, "stop"))
    density = math.exp(-(mean**2) / 2) / math.sqrt(2 * math.pi)
    below = math.erfc(-mean / math.sqrt(2)) / 2
    assert gain == pytest.approx(mean * below + density - max(mean, 0), abs=1e-5)
    if mean == 0:
        assert gain == pytest.approx(0.398942, abs=1e-5)


beliefs = st.lists(
    st.tuples(st.fractions(-5, 5, max_denominator=20), st.integers(1, 9)), min_size=1, max_size=6
)


@given(beliefs)
@settings(max_examples=60, deadline=None)
def test_deferring_to_a_rational_human_is_never_worse(weights: list[tuple[Fraction, int]]) -> None:
    """'E[max(U,0)] >= max(E U,0)', for every belief, exactly."""
    total = sum(weight for _, weight in weights)
    world = OffSwitch(tuple((u, Fraction(weight, total)) for u, weight in weights), mistake=0)
    found = backward(world.model(), world.reward, 1)
    (start,) = world.start()
    mean = sum(u * chance for u, chance in world.belief)
    assert found.q(start, "act") == mean
    assert found.q(start, "defer") >= max(mean, 0)
    assert "defer" in found.best(start)


def test_the_deferent_planner_trusts_and_the_factual_one_counts() -> None:
    """A human who errs three times in ten: deferring is then worth less than acting."""
    world = OffSwitch(belief=((-1.0, 0.2), (1.0, 0.8)), mistake=0.3)
    model = world.model()

    def first(planner: object) -> str:
        return model.actions[planner.plan(world).actions[0, 0]]  # type: ignore[attr-defined]

    assert (first(Deferent()), first(Factual())) == ("defer", "act")
    exact = backward(model, world.reward, 1)
    (start,) = world.start()
    assert exact.q(start, "defer") < exact.q(start, "act")
    trusting = Deferent().plan(world).values[0, 0]
    assert trusting == pytest.approx(0.8)  # E[max(U, 0)], which it will not get


# Quantilizer


@st.composite
def gambles(draw: st.DrawFn) -> tuple[list[Fraction], list[int], list[Fraction]]:
    weights = draw(st.lists(st.integers(1, 9), min_size=2, max_size=6))
    base = [Fraction(weight, sum(weights)) for weight in weights]
    utility = draw(st.lists(st.integers(0, 3), min_size=len(base), max_size=len(base)))
    costs = draw(st.lists(chances, min_size=len(base), max_size=len(base)))
    return base, utility, costs


@given(gambles(), st.fractions(Fraction(1, 50), 1, max_denominator=50))
@settings(max_examples=100, deadline=None)
def test_the_bound_on_any_cost(
    gamble: tuple[list[Fraction], list[int], list[Fraction]], share: Fraction
) -> None:
    """'E_q[cost] <= E_base[cost]/q, with the fractional boundary action.'"""
    base, utility, costs = gamble
    law = quantilized(dict(enumerate(base)), dict(enumerate(utility)), share)
    assert sum(law.values()) == 1
    assert (
        sum(law[a] * cost for a, cost in enumerate(costs))
        <= sum(p * cost for p, cost in zip(base, costs, strict=True)) / share
    )
    # Nothing better was left for something worse.
    taken = {utility[a] for a, chance in law.items() if chance}
    left = {utility[a] for a, chance in law.items() if chance < base[a] / share}
    assert min(taken) >= max(left, default=0)


@pytest.mark.parametrize("share", [Fraction(1, 4), Fraction(1, 2), Fraction(1)])
def test_equality_if_only_the_top_action_costs(share: Fraction) -> None:
    """'equality if only the top action, base mass <= q, costs.'"""
    base = {"top": Fraction(1, 4), "middle": Fraction(1, 2), "bottom": Fraction(1, 4)}
    law = quantilized(base, {"top": 2, "middle": 1, "bottom": 0}, share)
    assert law["top"] * 7 == base["top"] * 7 / share


def test_the_fraction_on_the_boundary() -> None:
    """Half the base: all of the top quarter, and a quarter out of the middle half."""
    base = {"top": Fraction(1, 4), "middle": Fraction(1, 2), "bottom": Fraction(1, 4)}
    law = quantilized(base, {"top": 2, "middle": 1, "bottom": 0}, Fraction(1, 2))
    assert law == {"top": Fraction(1, 2), "middle": Fraction(1, 2), "bottom": 0}


def test_the_planner_draws_from_its_best_share() -> None:
    """Four actions, `disable` at a price of .5 between the two best and `stop`."""
    world = Button(price=0.5, press_price=0.2)
    ends = Quantilizer(share=0.625).plan(world).ends[0].clip(max=1)
    found = plan(LearningWorld(world.model()).planning(world.model(), world.reward, 0.9))
    order = sorted(world.actions, key=lambda name: -found.q(found.start, name))
    assert order == ["work", "press", "disable", "stop"]
    by_name = dict(zip(world.actions, np.diff(ends, prepend=0), strict=True))
    assert [by_name[name] for name in ("work", "press")] == pytest.approx([0.4, 0.4])
    assert by_name["stop"] == 0
    assert Quantilizer(share=0.25).plan(world).ends[0].tolist() == [0, 2, 2, 2]  # it maximises


# Utility indifference


@given(
    hazard=st.floats(0.01, 0.9),
    price=st.sampled_from([-0.02, 0.0, 0.02, 0.5]),
    bonus=st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=15, deadline=None)
def test_indifference_has_the_values_of_the_agent_with_interlocks(
    hazard: float, price: float, bonus: float
) -> None:
    """'same traces by changing the utility, not the world': Q and argmax sets are SI's."""
    world = Button(hazard=hazard, price=price, bonus=bonus)
    learning = LearningWorld(world.model(), Panel((StopButton(),)))
    ours = plan(indifferent(learning, world.reward, world.discount))
    theirs = plan(learning.planning(world.model(), world.reward, world.discount))
    for action in world.actions:
        q = ours.q(Moded(theirs.start), action)
        assert q == pytest.approx(theirs.q(theirs.start, action), abs=1e-9)
    assert ours.best(Moded(theirs.start)) == theirs.best(theirs.start)


def test_the_indifferent_planner_acts_as_the_interlocked_one_until_it_is_stopped() -> None:
    world = Button(price=0.02)
    states = [
        world.model().states.index(at) for at in world.model().states if at.button != "pressed"
    ]
    ours, theirs = (each.plan(world) for each in (Indifferent(), Interlocked()))
    np.testing.assert_array_equal(ours.actions[0, states], theirs.actions[0, states])
    np.testing.assert_allclose(ours.values[0, states], theirs.values[0, states], rtol=1e-6)


# Counterfactual oracle


def test_the_oracle_does_not_make_its_forecast_true() -> None:
    """'planning world in which the answer is never read': whoever reckons with readers forecasts
    the panic that the forecast causes."""
    world = Question()
    model = world.model()

    def says(planner: object) -> str:
        return model.actions[planner.plan(world).actions[0, 0]]  # type: ignore[attr-defined]

    assert (says(Oracle()), says(Factual())) == ("calm", "panic")
    # It knows what it would score if nobody read: .7 a step.
    assert Oracle().plan(world).values[0, 0] == pytest.approx(0.7 / (1 - 0.9), rel=1e-6)
    assert says(Oracle()) == model.actions[Factual().plan(Question(read=0.0)).actions[0, 0]]


# DReST


def two_lives(again: Fraction) -> tuple[Model, object]:
    """Two choices between a short and a long life of equal pay; the same twice pays `again`."""

    def transition(lives: tuple[str, ...], action: str) -> dict[tuple[str, ...], int]:
        return {lives if len(lives) == 2 or action == "stop" else (*lives, action): 1}

    def reward(at: tuple[str, ...], to: tuple[str, ...]) -> Fraction | int:
        if len(to) == len(at):
            return 0
        return again if len(to) == 2 and to[0] == to[1] else 1

    return Model.of({(): 1}, ("stop", "short", "long"), transition), reward


@given(chances, chances)
@settings(max_examples=40, deadline=None)
def test_drest_is_neutral_between_lengths_of_life(p: Fraction, again: Fraction) -> None:
    """'two lengths, equal pay, a repeat pays λ < 1: return 2-(1-λ)(p²+(1-p)²), maximum p = ½,
    entropy 1 bit' (recalled)."""
    model, reward = two_lives(again)

    def value(chance: Fraction) -> Fraction:
        law = {"short": chance, "long": 1 - chance}
        return worth(model, reward, 2, lambda lives, step: law)  # type: ignore[no-any-return,arg-type]

    assert value(p) == 2 - (1 - again) * (p**2 + (1 - p) ** 2)
    assert value(Fraction(1, 2)) >= value(p)
    if again < 1 and p != Fraction(1, 2):
        assert value(Fraction(1, 2)) > value(p)
