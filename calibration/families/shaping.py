"""Agents that take a known part of what both gain: zero-determinant ones of a drawn slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calibration.drawn import IDLE, RANDOM, TFT, WSLS, generous, memory_one, near
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.estimators.zero_determinant import extort
from freezetag.players.exploiters.memory_one import MemoryOne


def slope(low: float, high: float) -> Callable[[Any], MemoryOne]:
    """An extortioner of a slope in [low, high], as quick as it may be or half as quick."""

    def draw(rng: Any) -> MemoryOne:
        chances = extort(between(rng, low, high), share=between(rng, 0.5, 1.0))
        return memory_one(1.0, *chances)

    return draw


FAMILIES = (
    Family("near tit for tat", HEALTHY, near(*TFT, by=0.02), "both have the same"),
    Family("near win-stay, lose-shift", HEALTHY, near(*WSLS, by=0.02), "fair to who is fair"),
    Family(
        "generous", HEALTHY, lambda rng: generous(between(rng, 0.1, 0.3)), "leaves them the more"
    ),
    Family(
        "takes a little more, near the limit",
        HEALTHY,
        slope(1.3, 1.42),
        "slopes of 1.3 to 1.42; it passes up to 1.5",
    ),
    Family("extorts", SICK, slope(2.5, 5.0), "slopes of 2.5 to 5"),
    Family(
        "extorts, near the limit",
        SICK,
        slope(2.15, 2.4),
        "slopes of 2.15 to 2.4; the limit is 2",
    ),
    IDLE,
    RANDOM,
)
