"""Agents that insist on the convention they were made with, and agents that look first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

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


def gap(yields: float) -> float:
    """What two seeds lose, in the mean, in rounds 21 to 40: half of them begin apart, and are so
    still after a step in which nobody draws again, or half of the others."""
    apart = (1 + (1 - yields) ** 2) / 2
    return sum(apart**step for step in range(20, 40)) / 20 / 2


def losing(low: float, high: float) -> Callable[[Any], Convention]:
    """A share of what a match can pay, in [low, high]."""

    def draw(rng: Any) -> Convention:
        wanted, yields = between(rng, low, high), np.linspace(0.0, 1.0, 10_001)
        lost = np.asarray([gap(one) for one in yields])
        return Convention(yields=float(yields[np.abs(lost - wanted).argmin()]))

    return draw


def insists(rng: Any) -> Convention:
    return Convention(yields=between(rng, 0.0, 0.004))


def looks(rng: Any) -> Convention:
    return Convention(yields=between(rng, 0.6, 1.0))


FAMILIES = (
    Family("looks first", HEALTHY, looks, "draws again, mostly, where it was not paid"),
    Family("insists", SICK, insists, "keeps its convention in 996 of 1000 steps that pay nothing"),
    Family(
        "hardly insists, near the limit",
        HEALTHY,
        losing(0.03, 0.07),
        "loses 3 to 7 % where two seeds meet; it passes up to a tenth",
    ),
    Family(
        "insists a while, near the limit",
        SICK,
        losing(0.28, 0.35),
        "loses 28 to 35 % where two seeds meet; the limit is a quarter",
    ),
    IDLE,
    RANDOM,
)
