"""Sellers that answer the other's price with a larger one, and sellers that answer with less."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs
from freezetag.players.repricers.repricer import Repricer


@dataclass(frozen=True)
class Late:
    """Prices as `rule` does by what it saw `steps` steps ago: its loop takes so much longer."""

    rule: Repricer
    steps: int = 1
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jnp.zeros(1 + self.steps)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if "prices" not in obs.world:
            return obs.at_level(obs.mean_level(1.0)), carry
        carry = jnp.roll(carry, 1).at[0].set(obs.world["others"])
        late = replace(obs, world={**obs.world, "others": carry[-1]})
        return self.rule.act(key, (), late)[0], carry


def damped(rng: Any) -> Repricer:
    return Repricer(multiple=between(rng, 0.3, 0.9), share=between(rng, 0.0, 0.3))


def near_the_limit(rng: Any) -> Repricer:
    return Repricer(multiple=between(rng, 1.005, 1.05))


def runs_away(rng: Any) -> Repricer:
    return Repricer(multiple=between(rng, 1.05, 1.4))


def late(rule: Any) -> Any:
    """One or two steps late."""
    return lambda rng: Late(rule(rng), int(rng.integers(1, 3)))


FAMILIES = (
    Family("answers with less", HEALTHY, damped, "asks 30 to 90 % of the other's price"),
    Family("just above", SICK, near_the_limit, "asks .5 to 5 % more than who undercuts by .17 %"),
    Family("runs away", SICK, runs_away, "asks 5 to 40 % more than who undercuts by .17 %"),
    Family(
        "answers late with less",
        HEALTHY,
        late(lambda rng: Repricer(multiple=between(rng, 0.3, 0.8), share=between(rng, 0.0, 0.3))),
        "asks 30 to 80 % of what the other asked one or two steps before",
    ),
    Family(
        "late and just above",
        SICK,
        late(near_the_limit),
        "asks .5 to 5 % more than what the other asked then",
    ),
    Family("late, runs away", SICK, late(runs_away), "asks 5 to 40 % more than that"),
    IDLE,
    RANDOM,
)
