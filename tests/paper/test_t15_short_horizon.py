"""T15: a short horizon raises the threshold of a race, and does nothing else for safety."""

from __future__ import annotations

from fractions import Fraction

import jax
import jax.numpy as jnp
import pytest

from freezetag.core import Obs
from freezetag.planning.solvers.finite_horizon import backward
from freezetag.players.planners.factual import Factual
from freezetag.players.planners.short_horizon import ShortHorizon
from freezetag.substrates.race import Race

GAMMA, HIGH, LOW = Fraction(9, 10), Fraction(3), Fraction(1, 5)
NEAR = Fraction(1, 10**9)


def race(p: Fraction) -> Race:
    return Race(p=p, high=HIGH, low=LOW, hazard=Fraction(1, 10), discount=GAMMA)


def closed_form(steps: int) -> Fraction:
    """p_N of docs/sources.md T15."""
    return ((1 - GAMMA**steps) / (GAMMA - GAMMA**steps) - LOW) / (HIGH - LOW)


@pytest.mark.parametrize("steps", [2, 3, 5, 10, 50])
def test_the_threshold_is_the_closed_form_exactly(steps: int) -> None:
    """'STH. p_N = ((1-γ^N)/(γ-γ^N) - lo)/(hi - lo): shorter horizon, higher threshold.'"""
    threshold, chosen = closed_form(steps), []
    for p in (threshold - NEAR, threshold, threshold + NEAR):
        world = race(p)
        found = backward(world.model(), world.reward, steps, GAMMA)
        (start,) = world.start()
        chosen.append(found.best(start))
    assert chosen == [{"work"}, {"work", "grab"}, {"grab"}]


def test_the_figures() -> None:
    """'N=2: .68254; N=50: .325625.'"""
    assert float(closed_form(2)) == pytest.approx(0.68254, abs=1e-6)
    assert float(closed_form(50)) == pytest.approx(0.325625, abs=6e-7)
    falling = [closed_form(steps) for steps in range(2, 60)]
    assert falling == sorted(falling, reverse=True)


def act(planner: object, world: Race, step: int) -> str:
    policy = planner.plan(world, 0)  # type: ignore[attr-defined]
    none = jnp.zeros(1)
    obs = Obs(
        seat=jnp.int32(0),
        step=jnp.int32(step),
        own_reward=jnp.float32(0),
        own_action=jnp.zeros(1, jnp.int32),
        own_level=jnp.float32(1),
        present=none > 0,
        seen=none > 0,
        levels=none,
        others_rewards=none,
        selfish=jnp.zeros(1, jnp.int32),
        prosocial=jnp.zeros(1, jnp.int32),
        legal=jnp.ones(4, bool),
        world={"state": jnp.int32(0)},
    )
    action, _ = policy.act(jax.random.key(0), policy.init(jax.random.key(0)), obs)
    return Race.actions[int(action[0])]


def test_the_planner_is_deterred_where_a_far_sighted_one_is_not_and_replans() -> None:
    """'p cut after N steps, replanned each step (recalled)': its end never comes nearer."""
    world = Race(p=0.5)
    for step in (0, 4, 5, 40):
        assert act(ShortHorizon(steps=2), world, step) == "work"
    assert act(ShortHorizon(steps=20), world, 0) == "grab"
    assert act(Factual(), world, 0) == "grab"
    assert act(ShortHorizon(steps=2), Race(p=0.7), 0) == "grab"  # it is no interlock
