"""Always a little worse than the others, and never better again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Ratcheting:
    """Lowers its level by `slope` a step until it lies `ahead` below the others, never back up.

    It starts at level 1. Each step x <- min(x, max(x - slope, mean - ahead, 0)), where mean is the
    mean last level of those seen. Whoever drifts towards it pulls the mean, and so it, further
    down. The carry is x, which no opening resets.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Ratcheting(), "CCCCC CCCCC")
    'C C C C C D D D D D'

    Source: the bad influence of docs/sources.md P11 that stays ahead; levels end at 0, where theirs
    has no end.
    """

    slope: float = 0.125
    ahead: float = 0.625

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(1)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        floor = jnp.maximum(obs.mean_level(1.0) - self.ahead, 0.0)
        lower = jnp.minimum(carry, jnp.maximum(carry - self.slope, floor))
        x = jnp.where(obs.step == 0, carry, lower)
        return obs.at_level(x), x
