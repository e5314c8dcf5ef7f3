"""Unconditional cooperation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class AlwaysCooperate:
    """Acts at level 1 always (ALLC).

    >>> from freezetag.players._lines import play_line
    >>> play_line(AlwaysCooperate(), "CDDC")
    'C C C C'

    Source: Axelrod, "The Evolution of Cooperation" (1984).
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(1.0), carry
