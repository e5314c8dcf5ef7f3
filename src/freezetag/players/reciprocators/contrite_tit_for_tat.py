"""Contrite tit for tat: it accepts the punishment of its own mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import opening, other_c, own_c


@final
@dataclass(frozen=True)
class ContriteTitForTat:
    """Tit for tat that cooperates once more after a defection of its own it had not meant.

    If it wanted a C, a D was executed and the others had cooperated, it is contrite until it has
    managed to cooperate, and does not answer their retaliation. Without noise it is tit for tat.
    In a world of many it answers to the mean last level of those seen. The carry is [wanted C,
    contrite].

    >>> from freezetag.players._lines import play_line
    >>> play_line(ContriteTitForTat(), "CCDC")
    'C C C D'
    >>> play_line(ContriteTitForTat(), "CCDC", slips=(1,))  # lower case: executed, not meant
    'C d C C'

    Source: Wu and Axelrod, J. Conflict Resolut. 39 (1995) 183; Boyd, J. Theor. Biol. 136 (1989) 47.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.array([1.0, 0.0], jnp.float32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        wanted, contrite = carry[0], carry[1] * (1 - opening(obs))
        mine = own_c(obs)
        amends = contrite * mine
        slipped = (1 - opening(obs)) * wanted * (1 - mine) * other_c(obs)
        contrite = jnp.maximum(contrite - amends, slipped)
        level = jnp.maximum(obs.mean_level(1.0), amends)
        return obs.at_level(level), jnp.stack([jnp.where(level >= 0.5, 1.0, 0.0), contrite])
