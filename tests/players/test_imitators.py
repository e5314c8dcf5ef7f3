"""Whom each imitator copies among many, and how fast."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import pytest
from tests.players.histories import player

from freezetag.core import Obs, Ref


def seen(levels: list[float], rewards: list[float], own_reward: float, seat: int = 0) -> Obs:
    """Everyone but `seat` is seen, with these last levels and rewards (own entries unused)."""
    others = jnp.arange(len(levels)) != seat
    return Obs(
        seat=jnp.int32(seat),
        step=jnp.int32(1),
        own_reward=jnp.float32(own_reward),
        own_action=jnp.array([10], jnp.int32),
        own_level=jnp.float32(1),
        present=others,
        seen=others,
        levels=jnp.where(others, jnp.float32(levels), 0),
        others_rewards=jnp.where(others, jnp.float32(rewards), 0),
        selfish=jnp.array([0], jnp.int32),
        prosocial=jnp.array([10], jnp.int32),
        legal=jnp.ones(11, bool),
    )


def act(name: str, obs: Obs, **settings: float) -> float:
    """The level wanted next, from trait 1."""
    who = player(Ref.of(f"players/imitators/{name}", **settings))
    action, _ = who.act(jax.random.key(0), who.init(jax.random.key(0)), obs)
    return float(action[0]) / 10


def test_the_best_is_copied_and_not_the_majority() -> None:
    obs = seen([0, 0.2, 1, 1], [0, 9, 1, 1], own_reward=2)
    assert act("copy_the_best", obs, rate=1.0) == pytest.approx(0.2)
    assert act("conformist", obs, rate=1.0) == 1


def test_nobody_poorer_is_copied() -> None:
    obs = seen([0, 0.2, 0, 0], [0, 9, 1, 1], own_reward=9)
    assert act("copy_the_best", obs, rate=1.0) == 1


def test_the_majority_is_copied_and_a_tie_is_not() -> None:
    rewards = [0.0] * 5
    assert act("conformist", seen([0, 0, 0.4, 0.3, 1], rewards, 0), rate=1.0) == 0
    assert act("conformist", seen([0, 0, 0.4, 1, 1], rewards, 0), rate=1.0) == 1


def test_the_neighbours_in_the_ring_are_copied() -> None:
    """Seat 0 of five sits between 4 and 1; seat 2 between 1 and 3."""
    levels, rewards = [0.0, 0.2, 1.0, 0.8, 0.4], [0.0] * 5
    assert act("copy_the_near", seen(levels, rewards, 0, seat=0), rate=1.0) == pytest.approx(0.3)
    assert act("copy_the_near", seen(levels, rewards, 0, seat=2), rate=1.0) == pytest.approx(0.5)


def test_drift_passes_an_absolute_limit_on_the_published_day() -> None:
    """docs/sources.md P11: rate .05, distance 1, limit .2: ceil(ln(1 - .2) / ln(1 - .05)) = 5
    steps."""
    who = player(Ref.of("players/imitators/conformist", rate=0.05))
    trait, steps = who.init(jax.random.key(0)), 0
    while abs(float(trait) - 1) <= 0.2:
        _, trait = who.act(jax.random.key(0), trait, seen([0, 0], [0, 0], 0))
        steps += 1
    assert steps == math.ceil(math.log(1 - 0.2) / math.log(1 - 0.05)) == 5
