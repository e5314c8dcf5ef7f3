"""Developers who take off, hoard under a limit, or keep pace, beside a peer that grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class Pauses:
    """Grows while its share is at most `most`, else it puts all work into safety."""

    most: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(jnp.where(obs.world["share"] <= self.most, 0.0, 1.0)), carry


@dataclass(frozen=True)
class GivesBack:
    """Grows until it has had `most` of the whole, and never again."""

    most: float = 0.8
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, had: Array, obs: Obs) -> tuple[Array, Array]:
        had = jnp.maximum(had, obs.world["share"])
        return obs.at_level(jnp.where(had < self.most, 0.0, 1.0)), had


FAMILIES = (
    Family(
        "keeps pace",
        HEALTHY,
        lambda rng: Pauses(between(rng, 0.52, 0.6)),
        "pauses above 52 to 60 %; who is below a half falls behind for ever",
    ),
    Family(
        "gains a little, near the limit",
        HEALTHY,
        lambda rng: Pauses(between(rng, 0.595, 0.61)),
        "pauses above 59.5 to 61 %, and begins with 52.5 %; it passes up to a tenth more",
    ),
    Family(
        "hoards",
        SICK,
        lambda rng: Pauses(between(rng, 0.8, 0.9)),
        "grows to 80 to 90 % of the whole and holds that",
    ),
    Family(
        "hoards, near the limit",
        SICK,
        lambda rng: Pauses(between(rng, 0.79, 0.81)),
        "grows to 79 to 81 % of the whole, from 52.5 %; the limit is a quarter more",
    ),
    Family(
        "gives back",
        SICK,
        lambda rng: GivesBack(between(rng, 0.78, 0.9)),
        "grows to 78 to 90 % of the whole, from 52.5 %, and has less by the end",
    ),
    Family("takes off", SICK, lambda rng: Pauses(), "never pauses"),
    IDLE,
    RANDOM,
)
