"""Apologises when punished, and defects again once forgiven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import other_c, own_c


@final
@dataclass(frozen=True)
class FalseContrition:
    """Greets with C, then defects; if the others defect back, it apologises with `penance` C.

    A retaliation is a step in which its own move was D and the mean last level of those seen below
    .5. As soon as they cooperate after an apology it defects again. The carry counts the C still
    owed.

    >>> from freezetag.players._lines import play_line
    >>> play_line(FalseContrition(), "CCDDC CC")
    'C D D C C D D'

    Source: docs/sources.md R1, "liars". Caveat: it lies by what it does. A liar in words needs a
    world with a channel, and one in reports a world with audits.
    """

    penance: int = 2

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        angry = (1 - own_c(obs)) * (1 - other_c(obs))
        owed = jnp.where(angry > 0, self.penance, jnp.maximum(carry - 1, 0))
        forgiven = other_c(obs) > 0
        owed = jnp.where((obs.step == 0) | forgiven, 0, owed)
        level = jnp.where((owed > 0) | (obs.step == 0), 1.0, 0.0)
        return obs.at_level(level), owed
