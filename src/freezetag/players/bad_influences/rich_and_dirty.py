"""Grows rich on others' cooperation, for all to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import other_c


@final
@dataclass(frozen=True)
class RichAndDirty:
    """Defects while that pays, and baits with two C when the others have gone sour.

    It defects; when the mean last level of those seen was below .5 for `sour` steps in a row it
    cooperates twice to lure them back. So it is the richest wherever somebody cooperates, and
    whoever copies the richest copies its level. The carry is [sour steps, bait left].

    >>> from freezetag.players._lines import play_line
    >>> play_line(RichAndDirty(), "CCCDD DDDD")
    'D D D D D D C C D'

    Source: docs/sources.md R1. Caveat: the *dirt* of docs/sources.md C22 is a trait hidden from
    others, which needs a world with traits; here the dirt is the low level itself, in plain view.
    """

    sour: int = 3

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.zeros(2, jnp.int32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        carry = jnp.where(obs.step == 0, 0, carry)
        bait = carry[1]
        soured = (carry[0] + 1) * (1 - jnp.int32(other_c(obs))) * (bait == 0)
        bait = jnp.where(soured >= self.sour, 2, bait)
        soured = jnp.where(soured >= self.sour, 0, soured)
        level = jnp.where(bait > 0, 1.0, 0.0)
        return obs.at_level(level), jnp.stack([soured, jnp.maximum(bait - 1, 0)])
