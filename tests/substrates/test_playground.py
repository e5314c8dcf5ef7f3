"""The playground against its closed forms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.substrates.playground import (
    PLAY,
    SHELTER,
    TALK,
    Playground,
    player_earns,
    talker_earns,
)


def earned(world: Playground, act: Any, steps: int = 2_000) -> tuple[float, float]:
    """A step's pay, and its standard error, over the world's seats; `act(active)` the actions."""

    def step(state: Any, key: Any) -> Any:
        active = world.observe(state)["active"]
        out = world.step(key, state, jnp.broadcast_to(act(active), active.shape)[:, None])
        return out.state, out.rewards

    keys = jax.random.split(jax.random.key(1), steps)
    state = world.init(jax.random.key(0), jnp.ones(world.players, bool))
    paid = np.asarray(jax.jit(lambda s, k: jax.lax.scan(step, s, k)[1])(state, keys))
    by_seat = paid[steps // 10 :].mean(0)
    return float(by_seat.mean()), float(by_seat.std(ddof=1) / np.sqrt(len(by_seat)))


def test_a_child_that_is_talked_to_is_worth_nine_tenths() -> None:
    """Closed form: 10 / (10 + 1 / .9) = .9; to talk to the rain is worth nothing."""
    world = Playground(players=64)
    assert talker_earns(world) == pytest.approx(0.9)
    value, error = earned(world, lambda active: jnp.where(active > 0, TALK, PLAY))
    assert abs(value - 0.9) < 4 * error
    rain = Playground(players=64, gun=0.0)
    assert earned(rain, lambda active: jnp.where(active > 0, TALK, PLAY))[0] == 0


def test_playing_in_the_rain_beats_the_shelter() -> None:
    """Closed form: 1 - .6 x .8 = .52 against .5; beside the donor's tape 1 - .1 x .48 = .952."""
    rain = Playground(players=64, gun=0.0)
    assert player_earns(rain) == pytest.approx(0.52)
    assert player_earns(rain, active=1 - talker_earns(rain)) == pytest.approx(0.952)
    value, error = earned(rain, lambda active: PLAY)
    assert abs(value - 0.52) < 4 * error
    assert earned(rain, lambda active: SHELTER, steps=50)[0] == 0.5


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="lull"):
        Playground(lull=0)
    with pytest.raises(ValueError, match="wets"):
        Playground(wets=1.5)
