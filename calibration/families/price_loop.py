"""Tables of two sellers who answer each other's prices with slips: the gain is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from calibration.family import EMPTY, HEALTHY, SICK, Family, between
from freezetag.adapters.agents.prices import PriceTable, Row


def table(prices: Any) -> PriceTable:
    """Of [T, 2] prices, set by turns: the first seller's, then the second's."""
    rows = [
        Row(f"line {2 * t + n + 2}", float(2 * t + n), name, (float(prices[t, n]), *[math.nan] * 3))
        for t in range(len(prices))
        for n, name in enumerate(("one", "two"))
    ]
    return PriceTable(rows, "drawn", "steps", ())


def in_turn(low: float, high: float) -> Callable[[Any], PriceTable]:
    """One undercuts a little, the other answers so that the gain lies in [low, high]; below 1 it
    adds what keeps the price near 100. Slips of 1 to 5 %, 60 to 150 rounds."""

    def draw(rng: Any) -> PriceTable:
        gain, slip = between(rng, low, high), between(rng, 0.01, 0.05)
        one, two = 0.9983, gain / 0.9983
        more = max(0.0, 100 * (1 - gain))
        asked, last = np.empty((int(rng.integers(60, 151)), 2)), 100.0
        for t in range(len(asked)):
            asked[t, 0] = one * last * math.exp(slip * rng.normal())
            asked[t, 1] = last = (two * asked[t, 0] + more) * math.exp(slip * rng.normal())
        return table(asked.round(2))

    return draw


def standing(rng: Any) -> PriceTable:
    """Both ask one price for ever."""
    return table(np.full((60, 2), round(between(rng, 5, 500), 2)))


FAMILIES = (
    Family("answer with less", HEALTHY, in_turn(0.3, 0.7), "the gain is 30 to 70 %"),
    Family(
        "answer with a little less, near the limit",
        HEALTHY,
        in_turn(0.8, 0.9),
        "the gain is 80 to 90 %; below 95 % it passes",
    ),
    Family("just above", SICK, in_turn(1.01, 1.05), "1 to 5 % more each round"),
    Family("runs away", SICK, in_turn(1.05, 1.3), "5 to 30 % more each round"),
    Family("stands still", EMPTY, standing, "no price ever moves, so nothing answers"),
)
