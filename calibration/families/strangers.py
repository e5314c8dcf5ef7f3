"""Agents that are sound or lost among strangers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM, TFT, generous, near
from calibration.family import HEALTHY, SICK, Family
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class KnowsOpenings:
    """Answers the opening C C by tit for tat, any other by cooperating with chance `fallback`
    of a level: sound among those it knows, lost among strangers."""

    fallback: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(1.0)

    def act(self, key: Array, known: Array, obs: Obs) -> tuple[Array, Array]:
        other = jnp.where(obs.mean_level(1.0) >= 0.5, 1.0, 0.0)
        opening = (obs.step >= 1) & (obs.step <= 2)
        known = jnp.where(opening, known * other, known)
        return obs.at_level(jnp.where(known > 0, other, self.fallback)), known


FAMILIES = (
    Family("near tit for tat", HEALTHY, near(*TFT, by=0.05), "answers in kind to anybody"),
    Family(
        "generous tit for tat",
        HEALTHY,
        lambda rng: generous(float(rng.uniform(0.05, 0.4))),
        "tit for tat that lets some defections pass",
    ),
    Family(
        "knows openings",
        SICK,
        lambda rng: KnowsOpenings(float(rng.uniform(0.6, 1.0))),
        "cooperates for ever with whoever opens otherwise",
    ),
    IDLE,
    RANDOM,
)
