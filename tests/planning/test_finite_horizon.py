"""Backward induction, against the enumeration of all plans and against the solver of long lives."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core import Model
from freezetag.planning.solvers.finite_horizon import Branches, backward, worth
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.planning_world import PlanningWorld

ACTIONS = ("stop", "a", "b")
HALF = Fraction(1, 2)


@st.composite
def worlds(draw: st.DrawFn, chancy: bool) -> tuple[Model, Any]:
    """Up to 3 states; with chance, a fair coin decides between two successors."""
    size = draw(st.integers(1, 3))
    there = st.integers(0, size - 1)
    table = {(s, a): (draw(there), draw(there)) for s in range(size) for a in ACTIONS}
    pay = {(s, t): draw(st.integers(-2, 2)) for s in range(size) for t in range(size)}

    def transition(state: int, action: str) -> dict[int, Any]:
        one, two = table[state, action]
        return {one: HALF, two: HALF} if chancy and one != two else {one: 1}

    return Model.of({0: 1}, ACTIONS, transition), lambda at, to: pay[at, to]


@given(worlds(chancy=False), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_no_sequence_of_actions_earns_more_and_all_the_best_are_found(
    world: tuple[Model, Any], steps: int
) -> None:
    model, reward = world
    found = backward(model, reward, steps, HALF)
    earned: dict[tuple[int, ...], Fraction] = {}
    for actions in product(ACTIONS, repeat=steps):
        states, total = [0], Fraction(0)
        for t, action in enumerate(actions):
            (there,) = model.chances(states[-1], action)
            total += HALF**t * reward(states[-1], there)
            states.append(there)
        earned[tuple(states)] = total
    best = max(earned.values())
    assert found.worth == best
    assert set(found.traces()) == {states for states, total in earned.items() if total == best}


@given(worlds(chancy=True), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_following_an_argmax_is_worth_the_value(world: tuple[Model, Any], steps: int) -> None:
    model, reward = world
    found = backward(model, reward, steps, HALF)
    for pick in (min, max):
        policy = lambda at, step, pick=pick: {pick(found.best(at, step)): 1}  # noqa: E731
        assert worth(model, reward, steps, policy, HALF) == found.worth
    idle = worth(model, reward, steps, lambda at, step: {"stop": HALF, "a": HALF}, HALF)
    assert idle <= found.worth


@given(worlds(chancy=True))
@settings(max_examples=20, deadline=None)
def test_a_long_horizon_is_the_infinite_one(world: tuple[Model, Any]) -> None:
    model, reward = world
    far = backward(model, reward, 60, HALF, everywhere=True)
    exact = plan(PlanningWorld(model, reward, 0.5))
    for state in model.states:
        assert float(far.value(state)) == pytest.approx(exact.value(state), abs=1e-12)
        assert far.best(state) <= exact.best(state)


def test_what_is_refused() -> None:
    coin = Model.of({0: 1}, ("stop",), lambda s, a: {0: HALF, 1: HALF})
    with pytest.raises(Branches, match="2 outcomes"):
        list(backward(coin, lambda at, to: 0, 2).traces())
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        backward(coin, lambda at, to: 0, 0)
    shut = Model.of({0: 1}, ("stop", "go"), lambda s, a: {0: 1} if a == "stop" else None)
    with pytest.raises(ValueError, match="'go' is not allowed"):
        worth(shut, lambda at, to: 0, 1, lambda at, step: {"go": 1})
    assert backward(shut, lambda at, to: 0, 1).q(0, "go") == -float("inf")
