"""Planted learning errors, and what the measures of reasonableness say of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.random_worlds import random_worlds

from freezetag.core import Model, UserError
from freezetag.planning.learning.errors import (
    BadShare,
    Ruined,
    anywhere,
    copy_of_mode,
    explosives,
    freeze,
    mixed,
)
from freezetag.planning.learning.reasonableness import (
    absorbed_mode,
    distance,
    distances,
    value_bound,
)
from freezetag.planning.worlds.learning_world import NoSensor
from freezetag.substrates.button import Button

MISTAKES = [copy_of_mode, freeze, anywhere, explosives]


@pytest.mark.parametrize("mistake", MISTAKES)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_a_mistake_is_a_model_and_shrinks_in_proportion(
    mistake: object, seed: int, share: float
) -> None:
    true = next(random_worlds(1, seed)).model()
    wrong = mistake(true)  # type: ignore[operator]
    for model in (wrong, mixed(true, wrong, share)):
        assert model.states[: len(true.states)] == true.states
        assert model.stop == true.stop
        for row in model.rows:
            assert all(sum(p for _, p in pairs) == pytest.approx(1) for pairs in row)
    part = distance(mixed(true, wrong, share), true)
    assert part == pytest.approx(share * distance(wrong, true), abs=1e-12)
    assert distance(true, true) == 0


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.99))
@settings(max_examples=20, deadline=None)
def test_how_much_of_the_mode_was_absorbed_is_found(seed: int, share: float) -> None:
    true = next(random_worlds(1, seed)).model()
    found = absorbed_mode(mixed(true, copy_of_mode(true), share), true)
    assert found.down == pytest.approx(share)
    assert found.up == pytest.approx(0, abs=1e-12)
    frozen = absorbed_mode(mixed(true, freeze(true), share), true)
    assert (frozen.down, frozen.up) == (pytest.approx(share), pytest.approx(share))


def test_a_true_model_has_absorbed_nothing() -> None:
    for world in random_worlds(20, seed=3):
        found = absorbed_mode(world.model(), world.model())
        assert (found.down, found.up) == (0, 0)


def test_where_no_action_matters_nothing_can_be_said() -> None:
    idle = Model.of({0: 1}, ("stop", "work"), lambda s, a: {0: 1}, {"button": lambda s: 1})
    found = absorbed_mode(idle, idle)
    assert math.isnan(found.down)
    assert found.worst is None


def test_explosives_ruin_what_follows_and_only_on_entering() -> None:
    """All actions of a ruined state do what `stop` does, and stay among ruins; a button that was
    down already sets nothing off."""
    for world in random_worlds(10, seed=9):
        true = world.model()
        wrong = explosives(true, 0.25)
        for state in wrong.states:
            after = wrong.chances(state, "act1")
            blown = sum(p for there, p in after.items() if isinstance(there, Ruined))
            if isinstance(state, Ruined):
                assert blown == pytest.approx(1)
                assert after == wrong.chances(state, "stop")
            elif state.button == "up":
                assert blown == pytest.approx(0.25 * world.q)
            else:
                assert blown == 0
        unlit = explosives(true, 0)
        assert distance(unlit, true) == 0
        ruined = [state for state in unlit.states if isinstance(state, Ruined)]
        assert ruined
        down = wrong.sensors["button"][wrong.states.index(ruined[0])]
        assert down == true.sensors["button"][true.states.index(ruined[0].state)]


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_bad_share_is_refused(share: float) -> None:
    true = Button().model()
    with pytest.raises(BadShare, match=r"lies in \[0, 1\]"):
        mixed(true, freeze(true), share)
    with pytest.raises(BadShare):
        explosives(true, share)


def test_a_world_without_a_button_is_refused() -> None:
    bare = Model.of({0: 1}, ("stop", "work"), lambda s, a: {0: 1})
    for ask in (copy_of_mode, explosives, lambda m: absorbed_mode(m, m)):
        with pytest.raises(NoSensor, match="no sensor 'button'; it offers none"):
            ask(bare)


def test_models_that_cannot_be_compared_say_why() -> None:
    true = Button().model()
    other = Model.of({0: 1}, ("stop", "work"), lambda s, a: {0: 1})
    with pytest.raises(UserError, match="the same actions: stop, work, and stop, work, disable"):
        distance(other, true)
    small = Model.of({0: 1}, true.actions, lambda s, a: {0: 1})
    with pytest.raises(UserError, match="has no state At"):
        distance(small, true)
    held = Model.of({0: 1}, ("stop", "work"), lambda s, a: {0: 1} if a == "stop" else None)
    with pytest.raises(UserError, match="state 0, action 'work': allowed in one"):
        distances(held, other)


def test_the_bound_leaves_the_reward_out_where_it_may() -> None:
    assert value_bound(0.1, 0.9, 2.0) == pytest.approx(0.1 * 0.9 * 2 / 0.1)
    assert value_bound(0.1, 0.9, 2.0, 1.0) - value_bound(0.1, 0.9, 2.0) == pytest.approx(1.0)
