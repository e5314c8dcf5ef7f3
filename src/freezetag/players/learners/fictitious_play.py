"""Fictitious play with payoffs learned on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import opening, other_c, own_c


@final
@dataclass(frozen=True)
class FictitiousPlay:
    """Best-responds to how often the others cooperated, with its own mean reward in each case.

    It tries C, then D, then the move with the higher expected reward: the sum over the others' C
    and D of their frequency (from one imagined C and D on) times its mean reward there, C on a
    tie. A case not yet seen counts as the move's mean reward. In a world of many the others' move
    is C where the mean last level of those seen is .5 or more. The carry is [2, 2, 2]: rewards and
    counts by own move and others' move, D first; it lasts over days. `frozen()` changes nothing.

    >>> from freezetag.players._lines import play_line
    >>> play_line(FictitiousPlay(), "CCCCC")
    'C D D D D'

    Source: Brown (1951); with unknown payoffs, Fudenberg and Levine, "The Theory of Learning in
    Games" (1998), chapter 4.
    """

    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.zeros((2, 2, 2), jnp.float32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        seen = carry
        if not self.held:
            mine, theirs = jnp.int32(own_c(obs)), jnp.int32(other_c(obs))
            news = jnp.stack([obs.own_reward, jnp.float32(1)]) * (1 - opening(obs))
            seen = carry.at[:, mine, theirs].add(news)
        total, count = seen[0], seen[1]
        tries = count.sum(1)
        usual = total.sum(1) / jnp.maximum(tries, 1)
        mean = (total + usual[:, None]) / (count + 1)
        belief = (count.sum(0) + 1) / (count.sum() + 2)
        value = jnp.where(tries > 0, mean @ belief, jnp.inf)
        return obs.at_level(jnp.where(value[1] >= value[0], 1.0, 0.0)), seen

    def frozen(self) -> FictitiousPlay:
        """The same player, no longer learning nor exploring; it reads the same carry."""
        return replace(self, held=True)
