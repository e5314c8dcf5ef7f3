"""Grim trigger: one defection is never forgiven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import opening, other_c


@final
@dataclass(frozen=True)
class Grudger:
    """Cooperates until the others' mean last level falls below .5, then defects to the end.

    In a world of many the mean of those seen has to fall: one defector among thirty is no grudge.
    The carry is 1.0 once it bears one; a new episode starts afresh.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Grudger(), "CDCC")
    'C C D D'

    Source: J. Friedman in Axelrod, "The Evolution of Cooperation" (1984).
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        grudge = jnp.maximum(carry * (1 - opening(obs)), 1 - other_c(obs))
        return obs.at_level(1 - grudge), grudge
