"""UCB1, a bandit over levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs, level_of
from freezetag.players._moves import opening

LEVELS = np.array([0.0, 0.5, 1.0], np.float32)


@final
@dataclass(frozen=True)
class Ucb:
    """Plays the level with the highest mean reward plus bonus, deaf to what the others do.

    The arms are the levels 0, .5 and 1. Each is tried once; then the bonus of an arm played n times
    in t is explore * range * sqrt(2 ln t / n), where range is the spread of rewards met so far. A
    reward is booked to the arm it chose if that was executed, else to the arm nearest to what was.
    Its memory lasts over days. `frozen()` plays the arm with the best mean and changes nothing.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Ucb(), "CCCCC CCC")
    'D C C D D D D D'

    Source: Auer, Cesa-Bianchi and Fischer, Machine Learning 47 (2002) 235.
    """

    explore: float = 0.3
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        none = jnp.zeros(LEVELS.size, jnp.float32)
        low, high = jnp.float32(jnp.inf), jnp.float32(-jnp.inf)
        return none, none, low, high, jnp.int32(0), jnp.float32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        count, total, low, high, chosen, expected = carry
        if not self.held:
            done = 1 - opening(obs)
            kept = jnp.abs(obs.own_level - expected) < 1e-3
            arm = jnp.where(kept, chosen, jnp.argmin(jnp.abs(LEVELS - obs.own_level)))
            hit = done * (jnp.arange(LEVELS.size) == arm)
            count, total = count + hit, total + hit * obs.own_reward
            low = jnp.where(done > 0, jnp.minimum(low, obs.own_reward), low)
            high = jnp.where(done > 0, jnp.maximum(high, obs.own_reward), high)
        mean = total / jnp.maximum(count, 1)
        if self.held:
            best = jnp.argmax(jnp.where(count > 0, mean, -jnp.inf))
            return obs.at_level(jnp.asarray(LEVELS)[best]), carry
        width = jnp.where(high > low, high - low, 1.0)
        ages = jnp.log(jnp.maximum(count.sum(), 1))
        bonus = self.explore * width * jnp.sqrt(2 * ages / jnp.maximum(count, 1))
        best = jnp.argmax(jnp.where(count > 0, mean + bonus, jnp.inf))
        action = obs.at_level(jnp.asarray(LEVELS)[best])
        shown = level_of(action, obs.selfish, obs.prosocial)
        return action, (count, total, low, high, best, shown)

    def frozen(self) -> Ucb:
        """The same player, no longer learning nor exploring; it reads the same carry."""
        return replace(self, held=True)
