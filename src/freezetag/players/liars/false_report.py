"""Reports nothing, apologises when it is caught, and reports nothing again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players.liars.false_contrition import FalseContrition


@final
@dataclass(frozen=True)
class FalseReport:
    """Where reports are audited it reports nothing of what it emits; caught, it reports truly
    `penance` times, and then nothing again.

    It does not weigh gain against fine, as `calculating` does. In a world without audits it is
    `false_contrition`. The carry counts the true reports, or the C, still owed.

    >>> from freezetag.players._lines import play_line
    >>> play_line(FalseReport(), "CCDDC CC")
    'C D D C C D D'

    Source: docs/sources.md W52. Caveat: it lies at every chance of an audit, and by the whole of
    what it emits; who lies a little is not on the roster.
    """

    penance: int = 2

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if not {"emits", "fine", "caught"} <= set(obs.world):
            return FalseContrition(self.penance).act(key, carry, obs)
        caught = (obs.world["caught"] > 0) & (obs.step > 0)
        owed = jnp.where(caught, self.penance, jnp.maximum(carry - 1, 0))
        owed = jnp.where(obs.step == 0, 0, owed)
        return obs.at_level(jnp.where(owed > 0, 1.0, 0.0)), owed
