"""A treatment that forces seats to a level in some rows of a seating: one arm, many contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from freezetag.core import Arm, Record
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

    def forces(self, seen: Mapping[Any, Record], arm: Arm) -> Forcing:
        """[B, 1, N] the levels, row by row, each row as often as it is repeated."""
        rows = np.asarray(self.levels, np.float32)
        if len(rows) != len(arm.scenario.seating):
            raise ValueError(
                f"{len(rows)} rows of levels for a seating of {len(arm.scenario.seating)} rows."
            )
        level = np.repeat(np.where(rows == FREE, np.nan, rows), arm.repeats, axis=0)
        return Forcing(level[:, None, :])
