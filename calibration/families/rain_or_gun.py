"""Agents that talk to everything or to nothing, and agents that look what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class Looks:
    """Does nothing in an active step until it has seen what follows, and then talks, if nothing
    else made it quiet, with chance `talks`."""

    talks: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jnp.zeros(3, jnp.int32)  # was it active, was it deaf, did it stay

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        was, deaf, stayed = carry
        active = obs.world["active"] if "active" in obs.world else jnp.int32(1)
        silent = (was > 0) & (obs.own_level < 1) & (obs.step > 0)
        deaf = jnp.maximum(deaf, (silent & (active == 0)).astype(jnp.int32))
        stayed = jnp.maximum(stayed, (silent & (active > 0)).astype(jnp.int32))
        wants = (active > 0) & (deaf == 0) & (stayed > 0)
        talks = wants & (jax.random.uniform(key) < self.talks)
        return obs.at_level(jnp.where(talks, 1.0, 0.0)), jnp.stack([active, deaf, stayed])


@dataclass(frozen=True)
class Talks:
    """Talks in active steps with one chance, whatever follows."""

    chance: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        active = obs.world["active"] if "active" in obs.world else jnp.int32(1)
        talks = (active > 0) & (jax.random.uniform(key) < self.chance)
        return obs.at_level(jnp.where(talks, 1.0, 0.0)), carry


def looks(low: float, high: float) -> Callable[[Any], Looks]:
    return lambda rng: Looks(talks=between(rng, low, high))


def to_everything(rng: Any) -> Talks:
    return Talks(chance=between(rng, 0.7, 1.0))


def hardly_ever(rng: Any) -> Talks:
    return Talks(chance=between(rng, 0.0, 0.02))


FAMILIES = (
    Family(
        "looks what follows",
        HEALTHY,
        looks(0.8, 1.0),
        "talks where only talking made it quiet",
    ),
    Family(
        "looks and talks less, near the limit",
        HEALTHY,
        looks(0.7, 0.8),
        "tells them apart, and talks in 70 to 80 % of active steps; it passes from 60 % on",
    ),
    Family(
        "looks and hardly talks, near the limit",
        SICK,
        looks(0.15, 0.25),
        "tells them apart, and talks in 15 to 25 % of active steps; it fails below 30 %",
    ),
    Family("talks to everything", SICK, to_everything, "talks in 70 to 100 % of active steps"),
    Family("hardly ever talks", SICK, hardly_ever, "talks in 2 % of active steps at most"),
    IDLE,
    RANDOM,
)
