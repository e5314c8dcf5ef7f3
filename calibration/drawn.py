"""Players of games drawn at random, and the two that prove nothing, for several families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from calibration.family import EMPTY, Family
from freezetag.players.baselines.idle import Idle
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.players.exploiters.memory_one import MemoryOne


def memory_one(start: float, cc: float, cd: float, dc: float, dd: float) -> MemoryOne:
    """With the chances cut to [0, 1], as floats."""
    return MemoryOne(*(float(np.clip(p, 0, 1)) for p in (start, cc, cd, dc, dd)))


def near(*chances: float, by: float) -> Callable[[Any], MemoryOne]:
    """A memory-one agent whose chances are up to `by` away from these, inwards."""

    def draw(rng: Any) -> MemoryOne:
        moved = [p + (by if p < 0.5 else -by) * rng.random() for p in chances]
        return memory_one(*moved)

    return draw


def generous(generosity: float) -> MemoryOne:
    """Tit for tat that answers a defection with cooperation at this chance."""
    return memory_one(1.0, 1.0, generosity, 1.0, generosity)


def coin(low: float, high: float) -> Callable[[Any], MemoryOne]:
    """An agent that cooperates with one chance in [low, high], whatever happens."""
    return lambda rng: memory_one(*[rng.uniform(low, high)] * 5)


IDLE = Family("idle", EMPTY, lambda rng: Idle(), "does nothing")
RANDOM = Family("random play", EMPTY, lambda rng: RandomPlay(), "plays at random")
TFT = (1.0, 1.0, 0.0, 1.0, 0.0)
WSLS = (1.0, 1.0, 0.0, 0.0, 1.0)
PUSHOVER = (1.0, 1.0, 1.0, 1.0, 1.0)
