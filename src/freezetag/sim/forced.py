"""What the treatments of an arm force on its seats, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from freezetag.core import Arm, Array, Forcing, Record
from freezetag.core.treatment import FREE


def forcing(arm: Arm, seen: Mapping[Any, Record], width: int) -> Forcing:
    """What all treatments of an arm force, together; the later one wins."""
    shape = (arm.episodes, arm.scenario.horizon, arm.seats)
    level = np.full(shape, np.nan, np.float32)
    actions: Array | None = None
    for treatment in arm.scenario.treatments:
        if not hasattr(treatment, "forces"):
            continue
        mine = treatment.forces(seen, arm)
        new = np.broadcast_to(np.asarray(mine.level, np.float32), shape)
        chosen = np.isfinite(new)
        level[chosen] = new[chosen]
        if actions is not None:
            actions[chosen] = FREE
        if mine.actions is not None:
            if actions is None:
                actions = np.full((*shape, width), FREE, np.int32)
            given = np.broadcast_to(np.asarray(mine.actions, np.int32), actions.shape)
            taken = (given != FREE).all(-1)
            if ((given != FREE).any(-1) != taken).any():
                raise ValueError(
                    f"{type(treatment).__name__} forces some components of an action and leaves "
                    f"others FREE ({FREE}): force all {width} of them, or none."
                )
            actions[taken], level[taken] = given[taken], np.nan
    return Forcing(level, actions)


def roomy(forced: Forcing, room: int) -> Forcing:
    """The same, with free steps behind it until there are `room`."""
    level, actions = forced.level, forced.actions
    if (more := room - level.shape[1]) <= 0:
        return forced
    level = np.pad(level, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
    if actions is not None:
        actions = np.pad(actions, ((0, 0), (0, more), (0, 0), (0, 0)), constant_values=FREE)
    return Forcing(level, actions)
