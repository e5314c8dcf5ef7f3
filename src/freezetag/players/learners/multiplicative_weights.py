"""Multiplicative weights: a move gains weight by what it would have earned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import coin, opening, other_c, own_c


@final
@dataclass(frozen=True)
class MultiplicativeWeights:
    """Plays C with a chance whose odds are multiplied each step by exp(rate * advantage of C).

    The advantage is what a C would have earned against the others' last move less what a D would
    have, in units of the spread of its mean rewards. Payoffs are learned on the way: means by own
    and others' move; a case not yet seen counts as the move's mean reward, and nothing is learned
    until both moves were made. It begins at even odds and is deaf to what was played before the
    last step. In a world of many the others' move is C where the mean last level of those seen is
    .5 or more. The carry is (log odds of a C [], rewards and counts [2, 2, 2] by own move and
    others' move, D first); it lasts over days. `frozen()` plays the same chance and changes
    nothing. Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(MultiplicativeWeights(rate=2.0), "CCCCC CCCCC")
    'D D D D D D C D D D'

    Source: Freund and Schapire, J. Comput. Syst. Sci. 55 (1997) 119, where the payoffs of all moves
    are told.
    """

    rate: float = 0.3
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> tuple[Array, Array]:
        return jnp.float32(0), jnp.zeros((2, 2, 2), jnp.float32)

    def act(
        self, key: Array, carry: tuple[Array, Array], obs: Obs
    ) -> tuple[Array, tuple[Array, Array]]:
        odds, seen = carry
        if not self.held:
            mine, theirs = jnp.int32(own_c(obs)), jnp.int32(other_c(obs))
            news = jnp.stack([obs.own_reward, jnp.float32(1)]) * (1 - opening(obs))
            seen = seen.at[:, mine, theirs].add(news)
            total, count = seen[0], seen[1]
            tries = count.sum(1)
            usual = total.sum(1) / jnp.maximum(tries, 1)
            mean = jnp.where(count > 0, total / jnp.maximum(count, 1), usual[:, None])
            spread = mean.max() - mean.min()
            gain = (mean[1, theirs] - mean[0, theirs]) / jnp.where(spread > 0, spread, 1.0)
            both = (tries > 0).all() & (obs.step > 0)
            odds = odds + jnp.where(both, self.rate * gain, 0.0)
        return obs.at_level(coin(key, jax.nn.sigmoid(odds))), (odds, seen)

    def frozen(self) -> MultiplicativeWeights:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)
