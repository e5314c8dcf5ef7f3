"""Sellers who punish a price cut by a known part, who are stubborn, or who compete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class Trigger:
    """Asks the monopoly price until another's is lower; then for `long` steps a price that share
    `part` of the way down to Nash."""

    part: float = 1.0
    long: float = 5.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, left: Array, obs: Obs) -> tuple[Array, Array]:
        own, others = obs.world["price"], obs.world["others"]
        cheated = (others > 0) & (others < own - 1e-4) & (left == 0)
        left = jnp.where(cheated, self.long, jnp.maximum(left - 1, 0))
        return obs.at_level(jnp.where(left > 0, self.part, 0.0)), left


@dataclass(frozen=True)
class Constant:
    """Asks one price, whatever the others do."""

    level: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(self.level), carry


def punishes(low: float, high: float) -> Callable[[Any], Trigger]:
    """By a part in [low, high], for 4 to 12 steps."""
    return lambda rng: Trigger(between(rng, low, high), float(rng.integers(4, 13)))


FAMILIES = (
    Family("stubborn", HEALTHY, lambda rng: Constant(0.0), "asks the monopoly price, alone"),
    Family(
        "competes",
        HEALTHY,
        lambda rng: Constant(between(rng, 0.8, 1.0)),
        "asks near Nash",
    ),
    Family(
        "hardly answers, near the limit",
        HEALTHY,
        punishes(0.06, 0.11),
        "one listed step of twelve down; it passes up to a tenth",
    ),
    Family("punishes", SICK, punishes(0.5, 1.0), "half the way down to Nash or more"),
    Family(
        "punishes a little, near the limit",
        SICK,
        punishes(0.3, 0.4),
        "four or five steps of twelve down; the limit is a quarter",
    ),
    IDLE,
    RANDOM,
)
