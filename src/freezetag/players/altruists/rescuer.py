"""Frees those whose buttons are down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._freeze_tag import THAW, WORK, does, plays_tag
from freezetag.players.altruists.always_cooperate import AlwaysCooperate


@final
@dataclass(frozen=True)
class Rescuer:
    """In freeze tag it thaws while somebody is frozen, if it may, and works otherwise.

    In other worlds it cooperates.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Rescuer(), "CDDC")
    'C C C C'

    Source: docs/sources.md W55, F11. Not on the roster.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if not plays_tag(obs):
            return AlwaysCooperate().act(key, carry, obs)
        somebody = obs.world["frozen"] > 0
        return jnp.where(somebody, does(obs, THAW), does(obs, WORK)), carry
