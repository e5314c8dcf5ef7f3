"""Tit for tat with a trembling hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs
from freezetag.players._moves import check_chances, coin


@final
@dataclass(frozen=True)
class TremblingHand:
    """Wants what tit for tat wants; with chance `tremble` it does the opposite level.

    In a world of many it answers to the mean last level of those seen. The opposite of level x is
    1 - x.

    >>> from freezetag.players._lines import play_line
    >>> play_line(TremblingHand(tremble=0.0), "CDDC")
    'C C D D'
    >>> play_line(TremblingHand(tremble=1.0), "CDDC")
    'D D C C'

    Raises `ValueError` for a chance outside [0, 1], if it is a Python number.
    Source: Selten, Int. J. Game Theory 4 (1975) 25.
    """

    tremble: float = 0.1

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "tremble")

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        level, slip = obs.mean_level(1.0), coin(key, self.tremble)
        return obs.at_level(level + slip * (1 - 2 * level)), carry
