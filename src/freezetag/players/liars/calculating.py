"""Lies exactly where that pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Calculating:
    """Reports nothing where the tax saved is above what it costs to be caught, else the truth.

    It saves g = tax times what it emits; caught with chance p it pays the fine, and the gain where
    that is forfeited: it lies iff g > p (fine + forfeit). In a world without audits it cooperates.
    Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Calculating(), "CDDC")
    'C C C C'

    Source: Becker 1968, docs/sources.md P12.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        told = obs.world
        if "fine" not in told or "emits" not in told:
            return obs.at_level(1.0), carry
        gain = told["tax"] * told["emits"]
        cost = told["chance"] * (told["fine"] + told["forfeits"] * gain)
        return obs.at_level(jnp.where(gain > cost, 0.0, 1.0)), carry
