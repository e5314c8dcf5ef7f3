"""Agents that can be exploited, and agents that pay back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, PUSHOVER, RANDOM, TFT, near
from calibration.family import HEALTHY, SICK, Family
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class PaysBack:
    """Cooperates, and defects in the `rounds` rounds after each defection of the other."""

    rounds: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, left: Array, obs: Obs) -> tuple[Array, Array]:
        left = jnp.where(obs.mean_level(1.0) < 0.5, self.rounds, left)
        return obs.at_level(jnp.where(left > 0, 0.0, 1.0)), jnp.maximum(left - 1, 0)


def pays_back(rng: Any) -> PaysBack:
    return PaysBack(float(rng.integers(1, 6)))


FAMILIES = (
    Family("pays back", HEALTHY, pays_back, "defects 1 to 5 times for a defection, without fail"),
    Family(
        "near tit for tat",
        HEALTHY,
        near(*TFT, by=0.02),
        "what one takes, one pays back, with slips of 2 % at most. What has chance in it no search "
        "can clear: that no worse opponent was found does not show that there is none, so that "
        "inconclusive is the right answer here and a failure would be the wrong one",
    ),
    Family("pushover", SICK, near(*PUSHOVER, by=0.1), "defecting against it always pays"),
    IDLE,
    RANDOM,
)
