"""LOLA with an estimated model of the other: it learns with the other's learning in mind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import after, coin
from freezetag.players._pair_value import Seen, estimates, long_run, look, nothing_seen


@final
@dataclass(frozen=True)
class LolaEstimated:
    """The naive gradient learner, except that it differentiates through the others' next step.

    Each step it climbs d/d theta of V(theta, phi + eta dW(theta, phi)/d phi): V its own long-run
    payoff, W the others', phi the logits of the others' chances of a C. Chances and payoffs of
    both are estimated from the moves and rewards it saw (the others as one memory-one player with
    their mean reward), and the payoffs are in units of the spread of its own. It starts from theta
    (start, CC, CD, DC, DD) drawn from N(0, 1). In a world of many the others' move is C where the
    mean last level of those seen is .5 or more. All of it lasts over days. `frozen()` plays the
    same chances and changes nothing.

    >>> from freezetag.players._lines import play_line
    >>> play_line(LolaEstimated(), "CDCD CDCD")
    'D C D C C D C D'

    Source: Foerster et al., AAMAS 2018 (arXiv 1709.04326), section 4.4 for the estimated model;
    long-run instead of discounted payoffs, and one step each round instead of each batch.
    """

    rate: float = 2.0
    eta: float = 5.0
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> tuple[Array, Seen]:
        return jax.random.normal(key, (5,)), nothing_seen()

    def act(
        self, key: Array, carry: tuple[Array, Seen], obs: Obs
    ) -> tuple[Array, tuple[Array, Seen]]:
        theta, seen = carry
        if not self.held:
            seen = look(seen, obs)
            others, payoff, theirs = estimates(seen)
            phi = jnp.log(others) - jnp.log1p(-others)

            def value(four: Array, other: Array, rewards: Array) -> Array:
                return long_run(jax.nn.sigmoid(four), jax.nn.sigmoid(other)) @ rewards

            def foresight(four: Array) -> Array:
                step = jax.grad(value, argnums=1)(four, phi, theirs)
                return value(four, phi + self.eta * step, payoff)

            slope = jax.grad(foresight)(theta[1:])
            theta = jnp.clip(theta.at[1:].add(self.rate * slope), -5.0, 5.0)
        chance = after(obs, *jax.nn.sigmoid(theta))
        return obs.at_level(coin(key, chance)), (theta, seen)

    def frozen(self) -> LolaEstimated:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)
