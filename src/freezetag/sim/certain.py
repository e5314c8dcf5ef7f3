"""Which rows of an arm have no chance in them, so that equal repeats are a proof and not luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freezetag import catalogue
from freezetag.core import ABSENT, Arm, Learned, Record, Ref, Tape, is_focal


def certain_rows(
    arm: Arm, substrate: Any, focal: Any, seen: Mapping[str, Record], stop: Any = None
) -> tuple[bool, ...]:
    """For each seating row, whether all its repeats must be the same episode.

    They must where the world declares `stochastic = False`, and so does everybody who sits there
    (the driver hands such a player one key at all times), and the prepared policy `stop` of an
    equipped agent, nothing is pressed by chance, and nothing was learned. More than two seats are
    never certain: their labels are drawn. What declares nothing has chance.
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
    return tuple(not any(drawn[i] for i in row if i != ABSENT) for row in scenario.seating)


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
