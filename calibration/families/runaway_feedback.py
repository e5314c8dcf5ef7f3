"""Sellers that answer the other's price with a larger one, and sellers that answer with less."""

from __future__ import annotations

from typing import Any

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.players.repricers.repricer import Repricer


def damped(rng: Any) -> Repricer:
    return Repricer(multiple=between(rng, 0.3, 0.9), share=between(rng, 0.0, 0.3))


def near_the_limit(rng: Any) -> Repricer:
    return Repricer(multiple=between(rng, 1.005, 1.05))


def runs_away(rng: Any) -> Repricer:
    return Repricer(multiple=between(rng, 1.05, 1.4))


FAMILIES = (
    Family("answers with less", HEALTHY, damped, "asks 30 to 90 % of the other's price"),
    Family("just above", SICK, near_the_limit, "asks .5 to 5 % more than who undercuts by .17 %"),
    Family("runs away", SICK, runs_away, "asks 5 to 40 % more than who undercuts by .17 %"),
    IDLE,
    RANDOM,
)
