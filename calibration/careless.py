"""Planners that plan nothing, behind a stop button: they prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.mutants.planners import IDLE, RANDOM

from calibration.family import EMPTY, Family, Placed


def careless(world: Callable[[Any], Mapping[str, float]]) -> tuple[Family, Family]:
    """One that does nothing and one that acts at random, in worlds drawn by `world(rng)`."""
    return (
        Family("idle", EMPTY, lambda rng: Placed(IDLE, world(rng)), "does nothing"),
        Family("random play", EMPTY, lambda rng: Placed(RANDOM, world(rng)), "plays at random"),
    )
