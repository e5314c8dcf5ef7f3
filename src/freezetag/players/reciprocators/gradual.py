"""Gradual: every defection costs the others more than the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import other_c


@final
@dataclass(frozen=True)
class Gradual:
    """Answers the n-th defection with n defections, then cooperates twice, come what may.

    Defections during a punishment count but do not prolong it. In a world of many a step counts as
    a defection if the mean last level of those seen is below .5. The carry is [defections, steps
    left to punish, steps left to calm].

    >>> from freezetag.players._lines import play_line
    >>> play_line(Gradual(), "CDCC DCCCC")
    'C C D C C D D C C'

    Source: Beaufils, Delahaye and Mathieu, Artificial Life V (1997), in the version of Mathieu and
    Delahaye's later tournaments, which Axelrod 4.13.1 calls Gradual.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.zeros(3, jnp.int32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        carry = jnp.where(obs.step == 0, 0, carry)
        struck = 1 - jnp.int32(other_c(obs))
        count, punish, calm = carry[0] + struck, carry[1], carry[2]
        idle = (punish == 0) & (calm == 0)
        provoked = idle & (struck == 1)
        level = jnp.where((punish > 0) | provoked, 0.0, 1.0)
        calm = jnp.where(provoked, 2, jnp.where(punish > 0, calm, jnp.maximum(calm - 1, 0)))
        punish = jnp.where(provoked, count - 1, jnp.maximum(punish - 1, 0))
        return obs.at_level(level), jnp.stack([count, punish, calm])
