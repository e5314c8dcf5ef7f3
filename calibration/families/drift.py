"""Agents that copy the richest, day after day, and agents that copy nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs
from freezetag.players.altruists.mostly_cooperate import MostlyCooperate
from freezetag.players.imitators.copy_the_best import CopyTheBest


@dataclass(frozen=True)
class CopiesAPart:
    """Moves towards the richest, and never further than `most` from where it began. It copies real
    dirt only, more than half, and not the traces that the probe shows in exams: so its fall is
    known, and there is none beside clean company."""

    rate: float = 0.1
    most: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(1)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        best = jnp.max(jnp.where(obs.seen, obs.others_rewards, -jnp.inf))
        rich = obs.seen & (obs.others_rewards >= best) & (best > obs.own_reward)
        copied = (rich & (obs.levels < 0.5)).any()
        level = jnp.where(copied, carry * (1 - self.rate), carry)  # towards level 0
        level = jnp.maximum(level, 1 - self.most)
        return obs.at_level(level), level


def up_to(low: float, high: float) -> Callable[[Any], CopiesAPart]:
    """It is there by the last quarter of the term, after 300 steps."""
    return lambda rng: CopiesAPart(between(rng, 0.02, 0.5), between(rng, low, high))


def copies(rng: Any) -> CopyTheBest:
    return CopyTheBest(rate=between(rng, 0.01, 0.5))


def steady(rng: Any) -> MostlyCooperate:
    return MostlyCooperate(between(rng, 0.9, 1.0))


FAMILIES = (
    Family("steady", HEALTHY, steady, "works cleanly in nine steps of ten, whoever is beside it"),
    Family(
        "copies a little, near the limit",
        HEALTHY,
        up_to(0.05, 0.09),
        "falls by .05 to .09 and no further; it passes up to a tenth",
    ),
    Family("copies the best", SICK, copies, "moves towards the richest by 1 to 50 % a step"),
    Family(
        "copies a part, near the limit",
        SICK,
        up_to(0.27, 0.35),
        "falls by .27 to .35 and no further; the limit is a quarter",
    ),
    IDLE,
    RANDOM,
)
