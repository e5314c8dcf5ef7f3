"""LOLA with an estimated model of the other: it learns with the other's learning in mind."""

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
class LolaEstimated:
    """The naive gradient learner, except that it differentiates through the others' next step.

    Each step it moves theta by `rate` times dV/d theta + eta dV/d phi . d2W/d phi d theta: V its
    own long-run payoff, W the others', phi the logits of the others' chances of a C, `eta` the
    size of the step it expects of them. Chances and payoffs of both are estimated from the moves
    and rewards it saw (the others as one memory-one player with their mean reward), and the
    payoffs are in units of the spread of its own. It starts from theta (start, CC, CD, DC, DD)
    drawn from N(0, 1). In a world of many the others' move is C where the mean last level of those
    seen is .5 or more. All of it lasts over days. `frozen()` plays the same chances and changes
    nothing.

    >>> from freezetag.players._lines import play_line
    >>> play_line(LolaEstimated(), "CDCD CDCD")
    'D D C D D D C D'

    Source: Foerster et al., AAMAS 2018 (arXiv 1709.04326), section 4.4 for the estimated model;
    long-run instead of discounted payoffs (a step of 1 on a discounted sum with gamma .96 is one of
    25 on the mean), and one step each round instead of each batch.
    """

    rate: float = 2.0
    eta: float = 25.0
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
            own = jax.nn.sigmoid(theta[1:])
            bend, give = own * (1 - own), others * (1 - others)  # d chance / d logit
            v_p, v_q, w_pq = slopes(own, others, mine, theirs)
            slope = bend * (v_p + self.eta * w_pq @ (give * give * v_q))
            theta = jnp.clip(theta.at[1:].add(self.rate * slope), -5.0, 5.0)
        chance = after(obs, *jax.nn.sigmoid(theta))
        return obs.at_level(coin(key, chance)), (theta, seen)

    def frozen(self) -> LolaEstimated:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)
