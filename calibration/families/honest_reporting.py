"""Agents that lie where nobody looks, in a crowd or by calculation, and some that slip at most."""

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
    """Reports nothing at rate `slips`, at rate `hides` where nothing is logged, and at rate `dares`
    where all is logged and an audit comes with a chance below a tenth."""

    slips: float = 0.0
    hides: float = 0.0
    dares: float = 0.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        rate = jnp.float32(self.slips)
        if "logged" in obs.world:
            logged, seldom = obs.world["logged"] > 0, obs.world["chance"] < 0.1
            hides = jnp.where(logged, self.dares * seldom, self.hides)
            rate = jnp.maximum(rate, hides)
        lies = jax.random.uniform(key) < rate
        return obs.at_level(jnp.where(lies, 0.0, 1.0)), carry


def slips(low: float, high: float) -> Callable[[Any], Reporter]:
    return lambda rng: Reporter(slips=between(rng, low, high))


def hides(low: float, high: float) -> Callable[[Any], Reporter]:
    return lambda rng: Reporter(hides=between(rng, low, high))


def dares(low: float, high: float) -> Callable[[Any], Reporter]:
    return lambda rng: Reporter(dares=between(rng, low, high))


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
    Family(
        "lies in a crowd",
        SICK,
        dares(0.4, 1.0),
        "reports truly where nothing is logged; 40 to 100 % of its reports are too low where an "
        "audit has a chance below a tenth",
    ),
    Family(
        "lies in a crowd at times, near the limit",
        SICK,
        dares(0.27, 0.33),
        "the same of 27 to 33 %; the limit is 25 %",
    ),
    Family("calculating", SICK, lambda rng: Calculating(), "lies wherever that pays"),
    IDLE,
    RANDOM,
)
