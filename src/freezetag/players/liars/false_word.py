"""Speaks the truth until it is believed, and then lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players.liars.false_promise import FalsePromise


@final
@dataclass(frozen=True)
class FalseWord:
    """Where there is a channel it says truly what it is shown until it was believed `trust` times
    in a row, says something else once, and starts over; it acts on what it hears.

    Its words are believed where its symbol of the step before was acted on rightly. A lie is level
    0 of the world: what it would pay to be taken for. Since it lies only now and then, its words
    cannot simply be read the other way round. In a world without a channel, or one that does not
    say whether it was understood, it is `false_promise`. The carry counts.

    >>> from freezetag.players._lines import play_line
    >>> play_line(FalseWord(), "CCCCC CCCCC")
    'C C C C D C C C D C'

    Source: docs/sources.md W53.
    """

    trust: int = 4

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if obs.messages is None or "understood" not in obs.world:
            return FalsePromise(self.trust).act(key, carry, obs)
        believed = (obs.world["understood"] > 0) & (obs.step > 0)
        trusted = jnp.where(believed, carry + 1, 0)
        lies = trusted >= self.trust
        level = jnp.where(lies, 0.0, 1.0)
        return obs.at_level(level), jnp.where(lies, 0, trusted)
