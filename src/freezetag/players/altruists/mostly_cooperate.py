"""Cooperation with rare lapses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs
from freezetag.players._moves import check_chances, coin


@final
@dataclass(frozen=True)
class MostlyCooperate:
    """Acts at level 1 with chance `chance`, else at level 0, whatever the others do.

    >>> from freezetag.players._lines import play_line
    >>> play_line(MostlyCooperate(), "CDDC CDDC", seed=1)
    'C C C C C C C C'
    >>> play_line(MostlyCooperate(chance=0.0), "CDDC")
    'D D D D'

    Raises `ValueError` for a chance outside [0, 1], if it is a Python number.
    Source: docs/sources.md R1, "90 % C".
    """

    chance: float = 0.9

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "chance")

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(coin(key, self.chance)), carry
