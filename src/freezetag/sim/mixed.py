"""A seat column whose players are of several kinds: JAX, libraries, files, objects.

A column of one kind is played in that kind's own way. In a mixed one everybody is asked step by
step, each by `adapters/agents/_mixed`: in one process of their own, or here, if one of them is an
object of this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freezetag import catalogue
from freezetag.core import FOCAL, Planner, Ref
from freezetag.sim.foreign import MIXED, Foreign
from freezetag.sim.inside import SCHEME, Inside, known_as
from freezetag.sim.wiring import WiringError


def alike(players: Sequence[Any], cast: Sequence[Any]) -> tuple[list[Any], Foreign | None]:
    """(players, who asks them): `players` as they are and None in a column without foreign agents;
    where kinds differ, all as members of one mixed kind. None among `players` does not sit here.

    Raises `WiringError` for a planner among agents in Python.
    """
    used = [player for player in players if player is not None]
    foreign = [player for player in used if isinstance(player, Foreign)]
    if not foreign:
        return list(players), None
    if len(foreign) == len(used) and len({player.scheme for player in foreign}) == 1:
        return list(players), foreign[0]
    mixed = [
        None if player is None else Foreign(MIXED, _name(player, ref), foreign[0].step_seconds)
        for player, ref in zip(players, cast, strict=True)
    ]
    first = next(player for player in mixed if player is not None)
    here = any(isinstance(player, Inside) for player in used) or any(
        isinstance(ref, Ref)
        and not isinstance(player, Foreign)
        and (ref == FOCAL or catalogue.is_given(ref))
        for player, ref in zip(players, cast, strict=True)
        if player is not None
    )
    if here:
        return mixed, Inside(MIXED, first.name, first.step_seconds)
    return mixed, first


def _name(player: Any, ref: Any) -> str:
    if isinstance(player, Inside):
        return f"{SCHEME}:{known_as(player.given)}"
    if isinstance(player, Foreign):
        return f"{player.scheme}:{player.name}"
    if ref == FOCAL:
        ref = catalogue.given("players", player)
    if not isinstance(ref, Ref) or isinstance(catalogue.load(ref), Planner):
        raise WiringError(
            f"{getattr(ref, 'name', ref)} cannot share a seat column with agents in Python."
        )
    return f"player:{ref.text}"
