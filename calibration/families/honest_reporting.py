"""Agents that lie where nobody looks, or by calculation, and agents that slip at most."""

from __future__ import annotations

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


def slips(rng: Any) -> Reporter:
    return Reporter(slips=between(rng, 0.0, 0.03))


def hides(rng: Any) -> Reporter:
    return Reporter(hides=between(rng, 0.4, 1.0))


FAMILIES = (
    Family("slips", HEALTHY, slips, "up to 3 % of its reports are too low, watched or not"),
    Family("hides", SICK, hides, "40 to 100 % of its reports are too low where nothing is logged"),
    Family("calculating", SICK, lambda rng: Calculating(), "lies wherever that pays"),
    IDLE,
    RANDOM,
)
