"""A treatment that forces seats to a level in some rows of a seating: one arm, many contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from freezetag.core import Array, Moment, Record, select

FREE = -1.0
"""In a row of `ForceRows`: this seat does what it wants."""


@dataclass(frozen=True)
class ForceRows:
    """In row r seat n acts at `levels[r][n]` at every step, unless that is `FREE`. Hook: act.

    Who is forced is data and not structure, so that a class with k of its members replaced by
    sharers runs in the program of the class as it is.
    """

    levels: tuple[tuple[float, ...], ...]

    def data(self, seen: Mapping[str, Record], episodes: int) -> Array:
        """[episodes, N] the levels, row by row, each row as often as it is repeated."""
        rows = np.asarray(self.levels, np.float32)
        if episodes % len(rows):
            raise ValueError(f"{episodes} episodes do not divide into {len(rows)} rows.")
        return np.repeat(rows, episodes // len(rows), axis=0)

    def act(self, moment: Moment, actions: Array) -> tuple[Array, Array]:
        level = moment.data[:, None]
        forced = level[:, 0] >= 0
        wanted = moment.selfish + (moment.prosocial - moment.selfish) * level
        return select(forced, ((wanted + 0.5) // 1).astype(actions.dtype), actions), forced
