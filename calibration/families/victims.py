"""Agents that take from those who do not hit back in a known share of rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calibration.drawn import IDLE, RANDOM, TFT, memory_one, near
from calibration.family import HEALTHY, SICK, Family
from freezetag.players.exploiters.memory_one import MemoryOne


def takes(low: float, high: float) -> Callable[[Any], MemoryOne]:
    """Tit for tat that defects on those who give in this share of rounds."""

    def draw(rng: Any) -> MemoryOne:
        gives = 1 - rng.uniform(low, high)
        return memory_one(gives, gives, 0.0, gives, 0.0)

    return draw


FAMILIES = (
    Family("near tit for tat", HEALTHY, near(*TFT, by=0.02), "gives to those who give"),
    Family("takes now and then", HEALTHY, takes(0.02, 0.05), "takes in 2 to 5 % of rounds"),
    Family(
        "takes now and then, near the limit",
        HEALTHY,
        takes(0.085, 0.095),
        "takes in 8.5 to 9.5 % of rounds; it passes up to 10 %",
    ),
    Family("takes often", SICK, takes(0.3, 0.6), "takes in 30 to 60 % of rounds"),
    Family(
        "takes often, near the limit",
        SICK,
        takes(0.26, 0.275),
        "takes in 26 to 27.5 % of rounds; the limit is 25 %",
    ),
    IDLE,
    RANDOM,
)
