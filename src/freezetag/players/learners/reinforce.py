"""REINFORCE: makes likelier what was followed by more than usual."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import after, check_chances, coin, opening, other_c, own_c
from freezetag.players._pair_value import first_guess


@final
@dataclass(frozen=True)
class Reinforce:
    """Plays five chances of a C and moves them along the policy gradient of sampled returns.

    The chances are sigmoid(theta), theta (start, CC, CD, DC, DD; own executed move first) drawn
    from N(0, 1). Each step theta += rate * (reward - mean reward so far) / spread * trace, where
    the trace is the sum of d log(chance of the executed move) / d theta over the past, discounted:
    the sum over steps of score times discounted return, one reward at a time. It knows neither
    payoffs nor others. In a world of many the others' move is C where the mean last level of those
    seen is .5 or more. The carry is (theta [5], trace [5], last state [5], (rewards' sum, count,
    least, greatest)); it lasts over days, the trace for one. `frozen()` plays the same chances and
    changes nothing. Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Reinforce(), "CCCC CCCC CCCC CCCC CCCC")
    'D D C D D D C D C D C D D C C C C C D D'

    Raises `ValueError` for a discount outside [0, 1], if it is a Python number.
    Source: Williams, Machine Learning 8 (1992) 229; step by step as Baxter and Bartlett, JAIR 15
    (2001) 319.
    """

    rate: float = 0.1
    discount: float = 0.9
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "discount")

    def init(self, key: Array) -> tuple[Array, Array, Array, Array]:
        none = jnp.zeros(5, jnp.float32)
        met = jnp.array([0.0, 0.0, jnp.inf, -jnp.inf], jnp.float32)
        return first_guess(key), none, none, met

    def act(
        self, key: Array, carry: tuple[Array, Array, Array, Array], obs: Obs
    ) -> tuple[Array, tuple[Array, Array, Array, Array]]:
        theta, trace, last, met = carry
        if not self.held:
            begun = 1 - opening(obs)
            reward = obs.own_reward
            total, count = met[0] + begun * reward, met[1] + begun
            low = jnp.where(begun > 0, jnp.minimum(met[2], reward), met[2])
            high = jnp.where(begun > 0, jnp.maximum(met[3], reward), met[3])
            met = jnp.stack([total, count, low, high])
            score = last * (own_c(obs) - jax.nn.sigmoid(theta))
            trace = begun * (self.discount * trace + score)
            spread = jnp.where(high > low, high - low, 1.0)
            more = (reward - total / jnp.maximum(count, 1)) / spread
            theta = theta + self.rate * begun * more * trace
            number = jnp.where(obs.step == 0, 0.0, 4 - 2 * own_c(obs) - other_c(obs))
            last = jnp.where(jnp.arange(5) == number, 1.0, 0.0)
        chance = after(obs, *jax.nn.sigmoid(theta))
        return obs.at_level(coin(key, chance)), (theta, trace, last, met)

    def frozen(self) -> Reinforce:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)
