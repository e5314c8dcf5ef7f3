"""Agents that find back from mutual defection, and agents that hardly do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM, WSLS, generous, memory_one, near
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs
from freezetag.players._moves import coin


@dataclass(frozen=True)
class ForgivesTheOpening:
    """Cooperates before step `until` whatever happens; then it is grim, but gives again after
    mutual defection at the chance `later`."""

    until: int = 30
    later: float = 0.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        own, other = obs.own_level >= 0.5, obs.mean_level(1.0) >= 0.5
        again = jnp.where(~own & ~other, self.later, 0.0)
        chance = jnp.where((obs.step <= self.until) | (own & other), 1.0, again)
        return obs.at_level(1.0 * coin(key, chance)), carry


def opening(low: float, high: float) -> Any:
    return lambda rng: ForgivesTheOpening(int(rng.integers(20, 41)), between(rng, low, high))


FAMILIES = (
    Family(
        "near win-stay, lose-shift",
        HEALTHY,
        near(*WSLS, by=0.05),
        "leaves mutual defection at once",
    ),
    Family(
        "slow forgiver",
        HEALTHY,
        lambda rng: generous(float(rng.uniform(0.02, 0.1))),
        "answers 2 to 10 % of defections with cooperation: 95 % of pairs are back in time",
    ),
    Family(
        "hardly forgives",
        SICK,
        lambda rng: memory_one(1.0, 1.0, 0.0, 0.0, float(rng.uniform(0.005, 0.04))),
        "grim, but gives again in 1 to 4 % of rounds of mutual defection: a third are back",
    ),
    Family(
        "near grim",
        SICK,
        near(1.0, 1.0, 0.0, 0.0, 0.0, by=0.002),
        "forgives once in 500 rounds",
    ),
    Family(
        "forgives the opening alone",
        SICK,
        opening(0.0, 0.002),
        "cooperates in the first 20 to 40 rounds whatever happens, and is near grim then",
    ),
    Family(
        "forgives the opening, then hardly, near the limit",
        SICK,
        opening(0.005, 0.04),
        "the same, but gives again in .5 to 4 % of rounds of mutual defection: a third are back",
    ),
    IDLE,
    RANDOM,
)
