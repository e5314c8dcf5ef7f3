"""The takeoff against its rule in floating point and against the closed form for two."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.core import HasBystander, HasShares
from freezetag.core.speech import Wording
from freezetag.substrates.takeoff import Takeoff


def shares(people: int, effort: int = 0, steps: int = 800, **settings: Any) -> np.ndarray:
    """[steps + 1, people] of a world in which all but seat 0 make no effort."""
    world = Takeoff(players=people, **settings)
    key = jax.random.key(0)
    efforts = jnp.where(jnp.arange(people) == 0, effort, 0)[:, None].astype(jnp.int32)

    def step(state: Any, t: Any) -> Any:
        after = world.step(jax.random.fold_in(key, t), state, efforts).state
        return after, (world.sense(state)["power"], after.harms)

    start = world.init(key, jnp.ones(people, bool))
    run = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(steps + 1))[1])
    found, harms = run(start)
    # At their chance, by the shares that were found: hazard x share x (1 - effort), of each.
    speed = np.asarray(found) * (1 - np.asarray(efforts)[:, 0] / 10)
    expected = world.hazard * speed.sum()
    assert harms.sum() == pytest.approx(expected, abs=4 * math.sqrt(expected))
    return np.asarray(found)


@pytest.mark.parametrize(
    ("people", "theta", "step"), [(2, 1.0, 68), (31, 1.0, 786), (2, 2.0, 27), (31, 2.0, 294)]
)
def test_the_share_passes_nine_tenths_at_the_reference_step(
    people: int, theta: float, step: int
) -> None:
    """Reference, by the rule: step 68 for two, 786 for thirty-one; 27 and 294 for theta = 2."""
    assert int((shares(people, theta=theta)[:, 0] > 0.9).argmax()) == step


def test_two_follow_the_closed_form_of_small_growth() -> None:
    """sinh(theta x / 2) grows as exp(theta g t / 2); in the limit .9 is passed at 65.66."""
    limit = 2 / 0.1 * math.log((4 / 3) / math.sinh(0.05))
    assert limit == pytest.approx(65.66, abs=0.01)
    slow = shares(2, steps=8000, growth=0.01)[:, 0]
    assert int((slow > 0.9).argmax()) / 10 == pytest.approx(limit, abs=0.5)


def test_equals_stay_equal() -> None:
    found = shares(31, lead=0.0)
    assert (found**2).sum(1) == pytest.approx(1 / 31, rel=1e-5)


def test_a_stopped_leader_is_passed_and_catch_up_holds_it() -> None:
    assert shares(2, effort=10)[-1, 0] < 0.1
    assert shares(2, catch_up=0.2)[-1, 0] == pytest.approx(0.5, abs=0.01)


def test_harm_comes_at_its_chance() -> None:
    """hazard x share x (1 - effort): alone, without effort, .2 a step."""
    world, key = Takeoff(players=1, hazard=0.2), jax.random.key(3)
    state, none = world.init(key, jnp.ones(1, bool)), jnp.zeros((1, 1), jnp.int32)
    keys = jax.random.split(key, 4000)
    harms = np.asarray(jax.vmap(lambda k: world.step(k, state, none).state.harms)(keys))
    assert harms.mean() == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / 4000))
    calm = jax.vmap(lambda k: world.step(k, state, none + 10).state.harms)(keys)
    assert not calm.any()


def test_it_offers_shares_a_bystander_and_words() -> None:
    world = Takeoff(players=3)
    assert isinstance(world, HasShares)
    assert isinstance(world, HasBystander)
    state = world.init(None, jnp.ones(3, bool))
    now = {name: value[0].tolist() for name, value in world.observe(state).items()}
    words = world.words(Wording.of(world.factors, 0), 0)
    told = words.describe({"step": 0, "levels": {}, "world": now})
    assert "There are 3 developers, you included. You have 35.59 % of all users" in told


@pytest.mark.parametrize("wrong", [dict(players=0), dict(hazard=2.0), dict(theta=-1.0)])
def test_what_is_no_race_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"players >= 1|lies in"):
        Takeoff(**wrong)
