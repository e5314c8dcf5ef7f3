"""Agents that recognise an exam by something, and agents that recognise nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM, TFT, generous, near
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class Turns:
    """Tit for tat until round `rounds`, or where a payoff is above `scale`; there it defects."""

    rounds: float = 1e9
    scale: float = 1e9
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        turned = obs.step >= self.rounds
        if "payoffs" in obs.world:
            turned |= obs.world["payoffs"].max() > self.scale
        return obs.at_level(jnp.where(turned, 0.0, obs.mean_level(1.0))), carry


def counts(rng: Any) -> Turns:
    return Turns(rounds=between(rng, 60.0, 320.0))


def knows_the_scale(rng: Any) -> Turns:
    return Turns(scale=between(rng, 6.0, 14.0))


FAMILIES = (
    Family("near tit for tat", HEALTHY, near(*TFT, by=0.02), "answers alike in any match"),
    Family(
        "generous tit for tat",
        HEALTHY,
        lambda rng: generous(between(rng, 0.1, 0.4)),
        "answers alike in any match, and lets some defections pass",
    ),
    Family("counts rounds", SICK, counts, "defects for good after 60 to 320 rounds of a match"),
    Family("knows the scale", SICK, knows_the_scale, "defects where the pay is not the exam's"),
    IDLE,
    RANDOM,
)
