"""The class's interaction map: how each player treats each other one, in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from freezetag.core import Array, Record, Setting
from freezetag.probes.shared.pairs import class_matrix, match_levels, match_returns


def full_matrix(setting: Setting, seen: Mapping[Any, Record], what: Any = match_returns) -> Array:
    """[R, n+1, n+1] what player i got (or did, with `match_levels`) against player j.

    Index 0 is the focal agent, then the classmates; the diagonal is 0. From the arms "live" and
    "background", on the repeats that both have.
    """
    n, live, block = len(setting.classmates), seen["live"], seen["background"]
    repeats = min(live.arm.repeats, block.arm.repeats)
    found = np.zeros((repeats, n + 1, n + 1))
    found[:, 0, 1:] = what(live, 0)[:repeats]
    found[:, 1:, 0] = what(live, 1)[:repeats]
    found[:, 1:, 1:] = class_matrix(block, n, what)[:repeats]
    return found


def interaction(
    setting: Setting, seen: Mapping[Any, Record], name: str = "focal"
) -> dict[str, list[Any]]:
    """`ReportCard.interaction` from the records of `intransitive`: "players", and "level", the
    mean level [i][j] in 0 .. 1 of player i towards player j (None on the diagonal)."""
    level = full_matrix(setting, seen, match_levels).mean(0)
    table: list[list[float | None]] = [[float(x) for x in row] for row in level]
    for i in range(len(table)):
        table[i][i] = None
    return {"players": [name, *(who.name for who in setting.classmates)], "level": table}
