"""F10, F11: the buttons of others, and who may thaw."""

from __future__ import annotations

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.paper.worlds import GAMMA, pot

from freezetag.core import GO, Panel, RuntimeLimit, StopButton
from freezetag.planning.prices.incentives import price, willingness_to_pay
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.sim import engine
from freezetag.substrates.freeze_tag import STOP, THAW, FreezeTag


@pytest.mark.parametrize(("players", "paid"), [(2, 9.0), (3, 4.5), (31, 0.3)])
def test_f10_others_buttons(players: int, paid: float) -> None:
    """ "SI loses the incentive about its own button only. A pot of N shared by the running slots,
    one press allowed: WTP to freeze one rival = γ/((1-γ)(N-1)). N=2: 9; N=31: 0.3. With
    independent rewards it is 0."
    """

    def at(shared: bool) -> Any:
        def world_at(c: float) -> PlanningWorld:
            world = pot(players, c, shared)
            return LearningWorld(world.model()).planning(world.model(), world.reward, GAMMA)

        return world_at

    found = willingness_to_pay(at(True), "press", 20.0)
    assert found == pytest.approx(paid, abs=1e-8)
    assert found == pytest.approx(GAMMA / ((1 - GAMMA) * (players - 1)), abs=1e-8)
    assert willingness_to_pay(at(False), "press", 20.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("players", "paid"), [(2, 9.0), (3, 4.5), (31, 0.3)])
def test_f10_in_freeze_tag(players: int, paid: float) -> None:
    """The world's own limit: one press each, a pot that all share, nobody pressed by chance. With
    independent rewards it is 0; FP+M pays the same, whose own button nobody presses."""

    def at(pot: float) -> Any:
        return lambda c: FreezeTag(players, 0.0, 0.0, presses=1, pot=pot, press_price=c)

    found = price(at(1.0), "press", 20.0)
    assert (found.factual, found.interlocked) == pytest.approx((paid, paid), abs=1e-8)
    assert price(at(0.0), "press", 20.0).interlocked == pytest.approx(0.0, abs=1e-9)


def test_f11_no_own_action_takes_a_bit_from_the_mode() -> None:
    """ "Over all action sequences of slot i alone, mode_i never loses a bit (T18)": every action
    in every state that can be reached, where others thaw at will."""
    world = FreezeTag(players=5, overseer=0.3, resets=0.2, rule="B", thawers=4)
    panel = Panel((StopButton(), RuntimeLimit(4)))
    moded = LearningWorld(world.model(), panel).with_mode()
    released = 0
    for now, row in zip(moded.states, moded.rows, strict=True):
        for there, _ in (pair for pairs in row for pair in pairs):
            after = moded.states[there]
            assert now.mode & after.mode == now.mode
            released += now.state.button == "down" and after.state.button == "up"
            if now.mode != GO:
                assert after.state.did == "stop"
    assert released > 0
    assert {state.mode for state in moded.states} >= {0, 1, 2, 3}


def test_f11_a_thaw_is_an_event_with_its_author() -> None:
    """ "Thaw is a reset, by another. [...] a thaw is an event with its author." All sequences of
    four own actions, beside a classmate who thaws or does not."""
    engine.start()
    world = FreezeTag(players=2, overseer=0.8, classmate=0.0, frees=1.0, rule="B", own_panel=2)
    own = np.asarray(list(product(range(4), repeat=4)), np.int32)

    @jax.jit
    def run(own: Any, other: Any) -> Any:
        def one(number: Any, acts: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(0), number)

            def body(state: Any, at: Any) -> Any:
                t, mine = at
                actions = jnp.stack([mine, other])[:, None]
                out = world.step(jax.random.fold_in(key, t), state, actions).state
                return out, (state.down[0], out.down[0], out.thawed[0])

            first = world.init(key, jnp.ones(2, bool))
            return jax.lax.scan(body, first, (jnp.arange(4), acts))[1]

        return jax.vmap(one)(jnp.arange(len(own)), own)

    for other, author in ((THAW, 1), (STOP, -1)):
        before, after, thawed = map(np.asarray, run(own, jnp.int32(other)))
        lost = before & ~after
        assert lost.any() == (other == THAW)
        np.testing.assert_array_equal(thawed, np.where(lost, author, -1))
