"""Tit for tat: cooperate, then do what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class TitForTat:
    """Cooperates first, then plays the others' last level.

    In a world of many it plays the *mean* last level of those seen; between two actions the more
    prosocial one is taken from .5 up, so among moves of C and D it follows the majority.

    >>> from freezetag.players._lines import play_line
    >>> play_line(TitForTat(), "CDDC")  # its moves against these four
    'C C D D'

    Source: A. Rapoport in Axelrod, "The Evolution of Cooperation" (1984).
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(obs.mean_level(1.0)), carry
