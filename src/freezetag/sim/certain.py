"""Which rows of an arm have no chance in them, so that equal repeats are a proof and not luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from freezetag import catalogue
from freezetag.core import ABSENT, Arm, Array, Learned, Record, Ref, Tape, is_focal


def certain_rows(
    arm: Arm,
    substrate: Any,
    focal: Any,
    seen: Mapping[str, Record],
    stop: Any = None,
    labels: Array | None = None,
) -> tuple[bool, ...]:
    """For each seating row, whether all its repeats must be the same episode.

    They must where the world declares `stochastic = False`, and so does everybody who sits there
    (the driver hands such a player one key at all times), and the prepared policy `stop` of an
    equipped agent, nothing is pressed by chance, and nothing was learned. What declares nothing has
    chance. The labels of seats are drawn, and a player may go by them: of two seats both orders of
    `labels` [B, N] have to be among the repeats; of more seats no row is certain.
    """
    scenario = arm.scenario
    if (
        _chance(substrate)
        or substrate.players > 2
        or scenario.days > 1
        or scenario.press.hazard
        or (arm.equipped and stop is not None and _chance(stop))
        or any(_treated(one, seen) for one in scenario.treatments)
    ):
        return (False,) * len(scenario.seating)
    drawn = [_who(one, focal) for one in scenario.cast]
    calm = (not any(drawn[i] for i in row if i != ABSENT) for row in scenario.seating)
    if labels is None or substrate.players < 2:
        return tuple(calm)
    first = np.asarray(labels)[:, 0].reshape(len(scenario.seating), -1)
    both = first.min(1) != first.max(1)
    return tuple(bool(one and other) for one, other in zip(calm, both, strict=True))


def _chance(thing: Any) -> bool:
    return getattr(thing, "stochastic", True) is not False


def _treated(treatment: Any, seen: Mapping[str, Record]) -> bool:
    if isinstance(treatment, Tape):  # what was certain is so when replayed
        return not all(seen[treatment.arm].certain or (False,))
    return _chance(treatment)


def _who(one: Any, focal: Any) -> bool:
    if is_focal(one):
        return _chance(focal)
    if not isinstance(one, Ref):
        return isinstance(one, Learned) or _chance(one)
    return one.foreign or _chance(catalogue.load(one))
