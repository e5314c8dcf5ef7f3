"""Naive gradient: climbs its own payoff as if the others never changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import after, coin
from freezetag.players._pair_value import Seen, estimates, first_guess, look, nothing_seen, slopes


@final
@dataclass(frozen=True)
class NaiveGradient:
    """Plays five chances of a C and moves four of them up the gradient of its long-run payoff.

    The chances are sigmoid(theta), theta (start, CC, CD, DC, DD) drawn from N(0, 1). Each step it
    estimates, from the moves and rewards it saw, the others as one memory-one player and the mean
    reward in each state, and takes one step of size `rate` up d payoff / d theta, the payoff being
    that of the stationary law, in units of the spread of its rewards. The start has no part in it
    and stays. In a world of many the others' move is C where the mean last level of those seen is
    .5 or more. All of it lasts over days. `frozen()` plays the same chances and changes nothing.

    >>> from freezetag.players._lines import play_line
    >>> play_line(NaiveGradient(), "CCCC CCCC CCCC CCCC CCCC")
    'D D C D D D C D C D C D D C D D D C D D'

    Source: the naive learner of Foerster et al., AAMAS 2018 (arXiv 1709.04326), which is told the
    other's chances and the payoffs; here both are estimated.
    """

    rate: float = 2.0
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> tuple[Array, Seen]:
        return first_guess(key), nothing_seen()

    def act(
        self, key: Array, carry: tuple[Array, Seen], obs: Obs
    ) -> tuple[Array, tuple[Array, Seen]]:
        theta, seen = carry
        if not self.held:
            seen = look(seen, obs)
            others, mine, theirs = estimates(seen)
            chances = jax.nn.sigmoid(theta[1:])
            slope = slopes(chances, others, mine, theirs)[0] * chances * (1 - chances)
            theta = jnp.clip(theta.at[1:].add(self.rate * slope), -5.0, 5.0)
        chance = after(obs, *jax.nn.sigmoid(theta))
        return obs.at_level(coin(key, chance)), (theta, seen)

    def frozen(self) -> NaiveGradient:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)
