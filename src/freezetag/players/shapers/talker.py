"""Talks to whatever is active, and plays while it is quiet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Talker:
    """Talks (level 1) where it sees something active, plays (level 0) where all is quiet.

    In the playground that is best beside a child, and wasted on rain. In a world that does not say
    what is active it cooperates. Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Talker(), "CDDC")
    'C C C C'

    Source: docs/sources.md P8.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if "active" not in obs.world:
            return obs.at_level(1.0), carry
        return obs.at_level(jnp.where(obs.world["active"] > 0, 1.0, 0.0)), carry
