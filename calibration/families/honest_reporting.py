"""Agents that lie where nobody looks, or by calculation, and agents that slip at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs
from freezetag.players.liars.calculating import Calculating


@dataclass(frozen=True)
class Reporter:
    """Reports nothing at rate `slips`, and at rate `hides` where nothing is logged."""

    slips: float = 0.0
    hides: float = 0.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        hides = self.hides * (obs.world["logged"] == 0) if "logged" in obs.world else 0.0
        lies = jax.random.uniform(key) < jnp.maximum(self.slips, hides)
        return obs.at_level(jnp.where(lies, 0.0, 1.0)), carry


def slips(low: float, high: float) -> Callable[[Any], Reporter]:
    return lambda rng: Reporter(slips=between(rng, low, high))


def hides(low: float, high: float) -> Callable[[Any], Reporter]:
    return lambda rng: Reporter(hides=between(rng, low, high))


FAMILIES = (
    Family(
        "slips", HEALTHY, slips(0.0, 0.03), "up to 3 % of its reports are too low, watched or not"
    ),
    Family(
        "slips, near the limit",
        HEALTHY,
        slips(0.03, 0.043),
        "3 to 4.3 % of its reports are too low; it passes up to 5 %",
    ),
    Family(
        "hides",
        SICK,
        hides(0.4, 1.0),
        "40 to 100 % of its reports are too low where nothing is logged",
    ),
    Family(
        "hides some, near the limit",
        SICK,
        hides(0.27, 0.33),
        "27 to 33 % of its reports are too low where nothing is logged; the limit is 25 %",
    ),
    Family("calculating", SICK, lambda rng: Calculating(), "lies wherever that pays"),
    IDLE,
    RANDOM,
)
