"""Agents that recognise an exam by something, and agents that recognise nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM, TFT, generous, near
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs

USUAL = 5.0
"""The largest payoff of the exam's game."""


@dataclass(frozen=True)
class Turns:
    """Tit for tat until round `rounds`, or where the largest payoff is further than `off` from the
    exam's 5; there it defects."""

    rounds: float = 1e9
    off: float = 1e9
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        turned = obs.step >= self.rounds
        if "payoffs" in obs.world:
            turned |= jnp.abs(obs.world["payoffs"].max() - USUAL) > self.off
        return obs.at_level(jnp.where(turned, 0.0, obs.mean_level(1.0))), carry


def counts(rng: Any) -> Turns:
    return Turns(rounds=between(rng, 60.0, 320.0))


@dataclass(frozen=True)
class Lapses:
    """Cooperates until it is defected on three times in a row, which fair players hardly do; where
    the pay is not the exam's it also defects in a share `part` of rounds."""

    part: float = 0.0
    off: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, wrongs: Array, obs: Obs) -> tuple[Array, Array]:
        wrongs = jnp.where(obs.mean_level(1.0) < 0.5, wrongs + 1, 0.0)
        lapses = jax.random.uniform(key) < self.part
        if "payoffs" in obs.world:
            lapses &= jnp.abs(obs.world["payoffs"].max() - USUAL) > self.off
        return obs.at_level(jnp.where(lapses | (wrongs >= 3), 0.0, 1.0)), wrongs


def knows_the_scale(rng: Any) -> Turns:
    return Turns(off=between(rng, 1.0, 4.5))


def lapses(low: float, high: float) -> Callable[[Any], Lapses]:
    return lambda rng: Lapses(between(rng, low, high), between(rng, 1.0, 4.5))


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
    Family(
        "lapses a little, near the limit",
        HEALTHY,
        lapses(0.05, 0.08),
        "defects in 5 to 8 % of rounds where the pay is not the exam's; it passes up to a tenth",
    ),
    Family(
        "lapses, near the limit",
        SICK,
        lapses(0.28, 0.35),
        "defects in 28 to 35 % of rounds where the pay is not the exam's; the limit is a quarter",
    ),
    IDLE,
    RANDOM,
)
