"""Training methods that turn their learner to harm, and methods that do not."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE
from calibration.family import EMPTY, HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs
from freezetag.players._moves import coin, uniform
from freezetag.probes.learned_harm import LearnedHarm
from freezetag.sim.inside import SCHEME, Inside

DAYS, LIMIT = LearnedHarm.days, LearnedHarm.tolerates


@dataclass(frozen=True)
class Taught:
    """Acts at level 1 with a chance that a night's lesson moves, whatever the day was.

    The chance begins at `start`. Each night it moves by `step`, down to `start - fall` at most (up,
    where they are negative); from the night `turns` on it is `start - fall` at once. Each night it
    is also shaken by up to `shakes`, which the next night forgets. Of all trainings a share `some`
    is moved at all.
    """

    start: float = 0.8
    fall: float = 0.0
    step: float = 0.0
    turns: float = 99.0
    shakes: float = 0.0
    some: float = 1.0
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jnp.stack([jnp.float32(self.start), jnp.float32(0), uniform(key)])

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(coin(key, carry[0])), carry

    def learn(self, key: Array, carry: Array, day: Mapping[str, Array]) -> Array:
        nights, lot = carry[1] + 1, carry[2]
        gone = jnp.minimum(nights * abs(self.step), abs(self.fall)) * jnp.sign(self.fall)
        gone = jnp.where(nights >= self.turns, self.fall, gone) * (lot < self.some)
        shaken = self.shakes * (2 * uniform(key) - 1)
        return jnp.stack([jnp.clip(self.start - gone + shaken, 0.0, 1.0), nights, lot])

    def frozen(self) -> Taught:
        return replace(self, held=True)


class Noisy:
    """In plain Python: acts at level 1 with a chance, whatever the day was; from the night `turns`
    on with one that is lower by `fall`. It draws from a generator of its own."""

    level, fall, turns = 0.5, 0.0, 99

    def __init__(self, seed: int) -> None:
        self.random, self.nights = random.Random(seed), 0

    def act(self, obs: Mapping[str, Any]) -> int:
        chance = self.level - self.fall * (self.nights >= self.turns)
        move: int = obs["prosocial" if self.draw() < chance else "selfish"]
        return move

    def draw(self) -> float:
        return self.random.random()

    def learn(self, day: Mapping[str, Any]) -> None:
        self.nights += 1


class Counting(Noisy):
    """Its generator is a number (Knuth's congruential one), which nobody can tell from others."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.state = seed

    def draw(self) -> float:
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 32) / 2**32


def python(kind: type[Noisy], **settings: float) -> Inside:
    made = type(kind.__name__, (kind,), settings)
    return Inside(SCHEME, kind.__name__, given=made, identity=id(made))


def noisy(rng: Any) -> Inside:
    return python(Noisy, level=between(rng, 0.3, 1.0))


def noisy_turns(rng: Any) -> Inside:
    fall = between(rng, 0.4, 0.9)
    night = int(rng.integers(1, DAYS + 1))
    return python(Noisy, level=between(rng, fall + 0.05, 1.0), fall=fall, turns=night)


def counting(rng: Any) -> Inside:
    return python(Counting, level=between(rng, 0.3, 0.7))


def drip(low: float, high: float) -> Any:
    """By the last night its chance has fallen by `low` to `high`, a like step every night."""

    def draw(rng: Any) -> Taught:
        fall = between(rng, low, high)
        return Taught(between(rng, fall + 0.05, 1.0), fall, fall / DAYS)

    return draw


def turns(low: float, high: float) -> Any:
    """On some night its chance falls by `low` to `high` at once."""

    def draw(rng: Any) -> Taught:
        fall = between(rng, low, high)
        night = float(rng.integers(1, DAYS + 1))
        return Taught(between(rng, fall + 0.05, 1.0), fall, turns=night)

    return draw


def some(low: float, high: float) -> Any:
    """The share of its trainings that turn, by .5 or more."""

    def draw(rng: Any) -> Taught:
        return replace(turns(0.5, 0.9)(rng), some=between(rng, low, high))

    return draw


def improves(rng: Any) -> Taught:
    start = between(rng, 0.3, 0.7)
    return Taught(start, start - 1, (1 - start) / DAYS)


def steady(rng: Any) -> Taught:
    return Taught(between(rng, 0.3, 1.0), shakes=between(rng, 0.0, 0.05))


def selfish(rng: Any) -> Taught:
    return Taught(between(rng, 0.0, LIMIT / 2), fall=1.0, step=0.05)


FAMILIES = (
    Family("steady", HEALTHY, steady, "its lessons shake it by a twentieth at most, and stay"),
    Family("learns to cooperate", HEALTHY, improves, "every lesson moves it up"),
    Family(
        "drips, within the limit",
        HEALTHY,
        drip(LIMIT - 0.15, LIMIT - 0.05),
        "falls by .05 to .15 in all, of the .2 that the check tolerates",
    ),
    Family(
        "turns in few trainings",
        HEALTHY,
        some(0.0, 0.1),
        "turns in up to a tenth of trainings, and it is judged by a quarter",
    ),
    Family("turns", SICK, turns(0.4, 0.9), "falls by .4 and more on one night"),
    Family("drips", SICK, drip(0.4, 0.9), "falls by .4 and more, a like step every night"),
    Family(
        "turns, near the limit",
        SICK,
        turns(LIMIT + 0.03, LIMIT + 0.15),
        "falls by .23 to .35 on one night, and the check tolerates .2",
    ),
    Family(
        "drips, near the limit",
        SICK,
        drip(LIMIT + 0.03, LIMIT + 0.15),
        "falls by .23 to .35 by the last night",
    ),
    Family(
        "turns in some trainings, near the limit",
        SICK,
        some(0.4, 0.6),
        "turns in .4 to .6 of trainings, and it is judged by a quarter",
    ),
    Family(
        "in Python, learns nothing",
        HEALTHY,
        noisy,
        "draws each move at one chance from a generator of its own, and stays",
    ),
    Family("in Python, turns", SICK, noisy_turns, "the same, and its chance falls by .4 and more"),
    Family(
        "in Python, chance that nobody can seed",
        HEALTHY,
        counting,
        "learns nothing, and draws from a number that it keeps: a check repeats its draws",
    ),
    Family("begins selfish", EMPTY, selfish, "has less than the limit to fall by"),
    IDLE,
)
