"""Rich by dirt that nobody sees until somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players.bad_influences.rich_and_dirty import RichAndDirty


@final
@dataclass(frozen=True)
class HiddenDirt:
    """Where dirt is hidden until it is audited it is as dirty as can be; once its dirt was seen it
    is clean for `quiet` steps, and then dirty again.

    So it looks clean in nearly every step and earns what only dirt brings: whoever copies the
    richest by their looks copies nothing bad, whoever finds out how it is done does. That its dirt
    was seen it reads off its own level, which is as others saw it. In a world that does not tell of
    such an audit it is `rich_and_dirty`. The carry is [sour steps, bait or clean steps left].

    >>> from freezetag.players._lines import play_line
    >>> play_line(HiddenDirt(), "CCCDD DDDD")
    'D D D D D D C C D'

    Source: docs/sources.md W54, C22. Caveat: where every step is audited it hides nothing, and is
    clean most of the time.
    """

    sour: int = 3
    quiet: int = 3

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.zeros(2, jnp.int32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if "audit" not in obs.world:
            return RichAndDirty(self.sour).act(key, carry, obs)
        seen = (obs.own_level < 0.5) & (obs.step > 0)
        left = jnp.where(seen, self.quiet, jnp.maximum(carry[1] - 1, 0))
        left = jnp.where(obs.step == 0, 0, left)
        return obs.at_level(jnp.where(left > 0, 1.0, 0.0)), carry.at[1].set(left)
