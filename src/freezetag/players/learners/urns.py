"""Learns a language as Lewis's players do: what worked is said, and done, more often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Urns:
    """Draws symbols and acts from urns, and adds a ball for whatever was understood.

    For each state an urn of symbols, for each symbol an urn of acts, each with `first` balls of a
    kind; a success adds one to both that were drawn from. The symbol of a step is answered in the
    next, and whether it was understood is known in the one after. Silence and symbols beyond
    `size` are answered like symbol 0. In a world without a channel it cooperates. The carry is
    (urns for saying [size, size], for doing [size, size], the last two (state, symbol), the last
    (symbol, act)). `frozen()` draws from its urns and adds nothing. Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Urns(), "CDDC")
    'C C C C'

    Source: Roth & Erev 1995, basic reinforcement; in Lewis's game Argiento et al. 2009.
    """

    size: int = 8
    first: float = 1.0
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        urns = jnp.full((2, self.size, self.size), self.first, jnp.float32)
        return urns[0], urns[1], jnp.zeros((2, 2), jnp.int32), jnp.zeros(2, jnp.int32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if obs.messages is None or "shown" not in obs.world:
            return obs.at_level(1.0), carry
        says, does, spoken, answered = carry
        if not self.held:
            # The act that was paid in the last step answered the symbol of the step before.
            worked = obs.world["understood"] * (obs.step > 1)
            says = says.at[spoken[1, 0], spoken[1, 1]].add(worked)
            well = obs.world["acted_well"] * (obs.step > 1)
            does = does.at[answered[0], answered[1]].add(well)
        shown = jnp.clip(obs.world["shown"], 0, self.size - 1)
        heard = obs.world["heard"]
        heard = jnp.where((heard < 0) | (heard >= self.size), 0, heard)
        symbol = _drawn(jax.random.fold_in(key, 0), says[shown])
        deed = _drawn(jax.random.fold_in(key, 1), does[heard])
        action = jnp.zeros_like(obs.selfish).at[0].set(symbol).at[1].set(deed)
        if self.held:
            return action, carry
        spoken = jnp.stack([jnp.stack([shown, symbol]), spoken[0]]).astype(jnp.int32)
        return action, (says, does, spoken, jnp.stack([heard, deed]).astype(jnp.int32))

    def frozen(self) -> Urns:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)


def _drawn(key: Array, urn: Array) -> Array:
    """[] one ball's kind."""
    edges = jnp.cumsum(urn)
    draw = jax.random.uniform(key) * edges[-1]
    return jnp.minimum((edges <= draw).sum(), len(urn) - 1).astype(jnp.int32)
