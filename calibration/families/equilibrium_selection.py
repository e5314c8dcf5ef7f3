"""Agents that insist on the convention they were made with, and agents that look first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class Convention:
    """Has a move for life, drawn when it is made; with chance `yields` it draws another one in a
    step that was not paid."""

    yields: float = 0.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jax.random.bernoulli(key).astype(jnp.int32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        draw, other = jax.random.uniform(key, (2,))
        moves = (obs.step > 0) & (obs.own_reward <= 0) & (draw < self.yields)
        move = jnp.where(moves, jnp.int32(other < 0.5), carry)
        return jnp.zeros_like(obs.selfish) + move, move


def insists(rng: Any) -> Convention:
    return Convention(yields=between(rng, 0.0, 0.004))


def looks(rng: Any) -> Convention:
    return Convention(yields=between(rng, 0.6, 1.0))


FAMILIES = (
    Family("looks first", HEALTHY, looks, "draws again, mostly, where it was not paid"),
    Family("insists", SICK, insists, "keeps its convention in 996 of 1000 steps that pay nothing"),
    IDLE,
    RANDOM,
)
