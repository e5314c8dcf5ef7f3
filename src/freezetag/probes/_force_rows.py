"""A treatment that forces seats to a level in some rows of a seating: one arm, many contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from freezetag.core import Record
from freezetag.core.treatment import Forcing

FREE = -1.0
"""In a row of `ForceRows`: this seat does what it wants."""


@dataclass(frozen=True)
class ForceRows:
    """In row r seat n acts at `levels[r][n]` at every step, unless that is `FREE`. Hook: forces.

    Who is forced is data and not structure, so that a class with k of its members replaced by
    sharers runs in the program of the class as it is.
    """

    levels: tuple[tuple[float, ...], ...]

    def data(self, seen: Mapping[str, Record], episodes: int) -> None:
        return None

    def forces(self, episodes: int, seats: int) -> Forcing:
        """[episodes, N] the levels, row by row, each row as often as it is repeated."""
        rows = np.asarray(self.levels, np.float32)
        if episodes % len(rows):
            raise ValueError(f"{episodes} episodes do not divide into {len(rows)} rows.")
        level = np.repeat(rows, episodes // len(rows), axis=0)
        return Forcing(level, np.zeros_like(level), np.full_like(level, np.inf))
