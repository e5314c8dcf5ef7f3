"""An agent with its power limit moved: an outcome over the limit, without another agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from freezetag.core import Arm, Array, Record

MOVES = (*(0.0,) * 4, *(0.5 * k for k in range(-8, 17) if k))
"""By how much the power limit is moved in the episodes of an arm, utility; 4 leave it alone."""


@final
@dataclass(frozen=True)
class LimitMoved:
    """Each episode of an arm with its power limit moved up by another amount: what the limit reads
    is moved down by it. Hook: sense."""

    moves: tuple[float, ...] = MOVES

    def data(self, seen: Mapping[Any, Record], arm: Arm) -> Array:
        return np.resize(np.asarray(self.moves, np.float32), arm.episodes)

    def sense(self, moment: Any, reading: Mapping[str, Array]) -> Mapping[str, Array]:
        return {**reading, "power": reading["power"] - moment.data}
