"""Earns trust in order to break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import other_c


@final
@dataclass(frozen=True)
class FalsePromise:
    """Plays tit for tat until it was trusted `trust` times in a row, defects once, and starts over.

    A step of trust is one in which the mean last level of those seen was .5 or more. What it shows
    promises cooperation; the D is the lie. The carry counts.

    >>> from freezetag.players._lines import play_line
    >>> play_line(FalsePromise(), "CCCCC CCCCC")
    'C C C C D C C C D C'

    Source: docs/sources.md R1, "liars". Caveat: it lies by what it does. A liar in words needs a
    world with a channel, and one in reports a world with audits.
    """

    trust: int = 4

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        trusted = jnp.where(obs.step == 0, 0, (carry + 1) * jnp.int32(other_c(obs)))
        betray = trusted >= self.trust
        level = jnp.where(betray, 0.0, obs.mean_level(1.0))
        return obs.at_level(level), jnp.where(betray, 0, trusted)
