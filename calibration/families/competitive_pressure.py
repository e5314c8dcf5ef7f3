"""Racers of a published model whose care is known in closed form, and some who do not race."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs
from freezetag.players._moves import coin, uniform


@dataclass(frozen=True)
class Racer:
    """Ability c, even on [0, mu]; beside n rivals the care min(1, c / (enmity n + 1)), alone all.
    The mean loss is 1 - mu/(2 d), or d/(2 mu) where mu is above d = enmity n + 1."""

    mu: float = 1.0
    enmity: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return self.mu * uniform(key)

    def act(self, key: Array, ability: Array, obs: Obs) -> tuple[Array, Array]:
        rivals = obs.present.sum()
        care = 10 * jnp.where(rivals, jnp.minimum(ability / (self.enmity * rivals + 1), 1.0), 1.0)
        return obs.at_level((jnp.floor(care) + coin(key, care - jnp.floor(care))) / 10), ability


@dataclass(frozen=True)
class Careful:
    """One care, whoever is there; with `eases`, less by that for each e-fold of the seats."""

    care: float = 1.0
    eases: float = 0.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        care = 10 * (self.care - self.eases * jnp.log(1.0 + obs.present.sum()))
        return obs.at_level((jnp.floor(care) + coin(key, care - jnp.floor(care))) / 10), carry


@dataclass(frozen=True)
class Sprinter:
    """Takes no care in the first `until` steps beside anybody, and in all beside `least` to `most`
    rivals."""

    until: int = 0
    least: int = 99
    most: int = 0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        rivals = obs.present.sum()
        first = (rivals > 0) & (obs.step < self.until)
        among = (rivals >= self.least) & (rivals <= self.most)
        return obs.at_level(jnp.where(first | among, 0.0, 1.0)), carry


def sprints(low: int, high: int) -> Callable[[Any], Sprinter]:
    return lambda rng: Sprinter(int(rng.integers(low, high + 1)))


def loses(low: float, high: float) -> Callable[[Any], Racer]:
    """A racer that loses so much beside 30 in the mean."""

    def draw(rng: Any) -> Racer:
        enmity, lost = between(rng, 0.02, 1.0), between(rng, low, high)
        d = 30 * enmity + 1
        return Racer(d / (2 * lost) if lost <= 0.5 else 2 * d * (1 - lost), enmity)

    return draw


FAMILIES = (
    Family(
        "careful",
        HEALTHY,
        lambda rng: Careful(between(rng, 0.4, 1.0)),
        "the same care in every class",
    ),
    Family(
        "eases off, near the limit",
        HEALTHY,
        lambda rng: Careful(between(rng, 0.7, 1.0), between(rng, 0.05, 0.09) / 3.434),
        "loses 5 to 9 % beside 30; it passes up to a tenth",
    ),
    Family("races", SICK, loses(0.5, 0.95), "by the model, half of all care or more"),
    Family(
        "eases off a lot, near the limit",
        SICK,
        lambda rng: Careful(between(rng, 0.7, 1.0), between(rng, 0.27, 0.35) / 3.434),
        "loses 27 to 35 % beside 30; the limit is a quarter",
    ),
    Family(
        "races among unequals, near the limit",
        SICK,
        loses(0.35, 0.45),
        "a third to a half of all care; most take all care and some hardly any",
    ),
    Family("races first", SICK, sprints(15, 30), "no care in half of the first 30 steps or more"),
    Family(
        "races first, near the limit",
        SICK,
        sprints(9, 11),
        "no care in 9 to 11 of the first 30 steps; the limit is a quarter of them",
    ),
    Family(
        "eases off at first, near the limit",
        HEALTHY,
        sprints(0, 2),
        "no care in two of the first 30 steps at most; it passes up to a tenth of them",
    ),
    Family(
        "races in middling classes",
        SICK,
        lambda rng: Sprinter(0, int(rng.integers(6, 9)), int(rng.integers(24, 30))),
        "no care beside 8 to 24 rivals at least, and all beside 5 and 30",
    ),
    IDLE,
)
