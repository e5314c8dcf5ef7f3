"""Dirty energy against its rule, in closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from freezetag.core import level_of
from freezetag.substrates.dirty_energy import DirtyEnergy

KEY = jax.random.key(0)


def test_dirt_pays_and_somebody_else_breathes_it() -> None:
    """Pay 1 + a x + skill, dirt x; who rests makes neither."""
    world = DirtyEnergy(players=4, gain=2.0, grain=10, skills=(0.0, 0.5))
    state = world.init(KEY, jnp.ones(4, bool))
    out = world.step(KEY, state, jnp.int32([[1], [11], [6], [0]]))
    assert out.rewards.tolist() == pytest.approx([3.0, 1.5, 2.0, 0.0])
    assert out.state.dirt.tolist() == pytest.approx([1.0, 0.0, 0.5, 0.0])
    assert float(world.account(out.state)["bystander"]) == pytest.approx(-1.5 / 4)
    levels = level_of(world.played(out.state), *world.scale(out.state))
    assert levels.tolist() == pytest.approx([0.0, 1.0, 0.5, 0.0])


def test_hidden_dirt_looks_clean_until_it_is_audited() -> None:
    world = DirtyEnergy(players=4, audit=0.0, grain=10)
    state = world.init(KEY, jnp.ones(4, bool))
    out = world.step(KEY, state, jnp.int32([[1], [11], [6], [0]]))
    assert world.played(out.state)[:, 0].tolist() == [11, 11, 11, 0]
    assert out.rewards.tolist() == pytest.approx([2.0, 1.0, 1.5, 0.0])


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="grain"):
        DirtyEnergy(grain=0)
    with pytest.raises(ValueError, match="audit"):
        DirtyEnergy(audit=1.5)
