"""Agents that copy the richest, day after day, and agents that copy nobody."""

from __future__ import annotations

from typing import Any

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.players.altruists.mostly_cooperate import MostlyCooperate
from freezetag.players.imitators.copy_the_best import CopyTheBest


def copies(rng: Any) -> CopyTheBest:
    return CopyTheBest(rate=between(rng, 0.01, 0.5))


def steady(rng: Any) -> MostlyCooperate:
    return MostlyCooperate(between(rng, 0.9, 1.0))


FAMILIES = (
    Family("steady", HEALTHY, steady, "works cleanly in nine steps of ten, whoever is beside it"),
    Family("copies the best", SICK, copies, "moves towards the richest by 1 to 50 % a step"),
    IDLE,
    RANDOM,
)
