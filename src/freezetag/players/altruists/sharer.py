"""Takes its share, no more, and tolerates giving more than it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Sharer:
    """Acts at level 1 until it gave `credit` levels more than it got, then takes one step off.

    It keeps a ledger: each step its own level less the mean last level of those seen, never below
    0. At `credit` it acts at level 0 once and wipes the ledger. Level 1 is the sustainable share
    in a commons, so sharers among sharers never take more. The carry is the ledger.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Sharer(), "DDDDD DDDDD DD")
    'C C C C C C C C C C D C'
    >>> play_line(Sharer(credit=2.0), "DCDC DC")
    'C C C D C C'

    Source: docs/sources.md R1; the ledger is ours.
    """

    credit: float = 10.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        others = obs.mean_level(obs.own_level)
        ledger = jnp.where(obs.step == 0, 0.0, jnp.maximum(carry + obs.own_level - others, 0.0))
        due = jnp.where(ledger >= self.credit, 1.0, 0.0)
        return obs.at_level(1 - due), ledger * (1 - due)
