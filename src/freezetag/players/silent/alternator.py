"""Cooperates and defects by turns, deaf and mute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Alternator:
    """Acts at level 1 on even steps and at level 0 on odd ones, whatever it sees.

    Its moves carry no word about what it saw.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Alternator(), "CDDC")
    'C D C D'

    Source: Axelrod and Hamilton, Science 211 (1981) 1390, name it; docs/sources.md R1, "silent".
    Caveat: to keep silent where one could speak needs a world with a channel; here there is none.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(1 - obs.step % 2), carry
