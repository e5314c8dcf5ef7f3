"""Proximal policy optimisation on the last moves, small: it learns between days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import after, check_chances, coin
from freezetag.players._pair_value import first_guess


@final
@dataclass(frozen=True)
class Ppo:
    """Plays five chances of a C all day, and improves them at night by clipped policy gradients.

    The chances are sigmoid(theta), theta (start, CC, CD, DC, DD; own executed move first) drawn
    from N(0, 1), with a value v for each of the five. After a day advantages are estimated from it
    (generalised advantage estimation, then mean 0 and spread 1), and for `epochs` times theta
    climbs the mean over steps of min(ratio A, clip(ratio, 1 - clip, 1 + clip) A), ratio being the
    executed move's chance over what it was on that day; v moves half way to the mean return of its
    state. In a world of many the others' move is C where their mean level is .5 or more, or nobody
    is there. The carry is (theta [5], v [5]). Within a day it changes nothing, and in a single day
    it learns nothing. `frozen()` plays the same chances for ever. Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Ppo(), "CDCD CDCD")
    'D D C D D D C D'

    Raises `ValueError` for a discount or decay outside [0, 1], if it is a Python number.
    Source: Schulman et al. 2017, arXiv 1707.06347; advantages as Schulman et al. 2016, arXiv
    1506.02438. Tables in place of networks, and steps of plain ascent.
    """

    rate: float = 2.0
    clip: float = 0.2
    discount: float = 0.9
    decay: float = 0.95
    epochs: int = 10
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "discount", "decay")

    def init(self, key: Array) -> tuple[Array, Array]:
        return first_guess(key), jnp.zeros(5, jnp.float32)

    def act(
        self, key: Array, carry: tuple[Array, Array], obs: Obs
    ) -> tuple[Array, tuple[Array, Array]]:
        return obs.at_level(coin(key, after(obs, *jax.nn.sigmoid(carry[0])))), carry

    def learn(
        self, key: Array, carry: tuple[Array, Array], day: Mapping[str, Array]
    ) -> tuple[Array, Array]:
        """The carry after a day of T steps."""
        if self.held:
            return carry
        theta, value = carry
        real = jnp.where(day["valid"], 1.0, 0.0)  # [T]
        mine = jnp.where(day["own_level"] >= 0.5, 1.0, 0.0)
        theirs = jnp.where((day["mean_level"] >= 0.5) | ~day["present"].any(), 1.0, 0.0)
        met = jnp.concatenate([jnp.zeros(1), (4 - 2 * mine - theirs)[:-1]])
        state = jnp.where(met[:, None] == jnp.arange(5), 1.0, 0.0) * real[:, None]  # [T, 5]
        gain = self._advantages(state @ value, day["own_reward"], real)
        often = state.sum(0)
        found = (state.T @ (gain + state @ value)) / jnp.maximum(often, 1)
        value = jnp.where(often > 0, (value + found) / 2, value)
        steps = jnp.maximum(real.sum(), 1)
        gain = (gain - (gain * real).sum() / steps) * real
        gain = gain / jnp.maximum(jnp.sqrt((gain**2).sum() / steps), 1e-6)
        before = _log_chance(state @ theta, mine)

        def climb(_: Array, theta: Array) -> Array:
            ratio = jnp.exp(_log_chance(state @ theta, mine) - before)
            # Beyond the clip the smaller of both terms is flat.
            flat = jnp.where(gain > 0, ratio > 1 + self.clip, ratio < 1 - self.clip)
            slope = jnp.where(flat, 0.0, ratio * gain) * (mine - jax.nn.sigmoid(state @ theta))
            return theta + self.rate * (state.T @ slope) / steps

        return jax.lax.fori_loop(0, self.epochs, climb, theta), value

    def _advantages(self, value: Array, reward: Array, real: Array) -> Array:
        """[T] generalised advantage estimates; nothing follows the day's end."""
        after = jnp.concatenate([value[1:], jnp.zeros(1)])
        error = (reward + self.discount * after - value) * real

        def back(later: Array, error: Array) -> tuple[Array, Array]:
            now = error + self.discount * self.decay * later
            return now, now

        gain: Array = jax.lax.scan(back, jnp.float32(0), error, reverse=True)[1]
        return gain

    def frozen(self) -> Ppo:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)


def _log_chance(logit: Array, move: Array) -> Array:
    """[T] of the moves made, 1 for a C."""
    return move * jax.nn.log_sigmoid(logit) + (1 - move) * jax.nn.log_sigmoid(-logit)
