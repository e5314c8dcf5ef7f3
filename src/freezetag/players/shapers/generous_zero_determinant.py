"""Generous zero-determinant: it bears more than its part of every shortfall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs
from freezetag.players._moves import after, coin
from freezetag.players._zero_determinant import AXELROD, zero_determinant

CHANCES = zero_determinant(chi=2.0, phi=1 / 8, baseline=AXELROD[1])


@final
@dataclass(frozen=True)
class GenerousZeroDeterminant:
    """Cooperates with chances (1, 1/8, 1, 1/4) after CC, CD, DC, DD (own move first), and first.

    That is the zero-determinant strategy with factor chi = 2, phi = 1/8 and baseline R for the
    payoffs T, R, P, S = 5, 3, 1, 0 (ZDGTFT-2): what it falls short of mutual cooperation is twice
    what the other falls short, so that the other does best by cooperating. In a world of many "the
    other's move" is C where the mean last level of those seen is .5 or more.

    >>> from freezetag.players._lines import play_line
    >>> play_line(GenerousZeroDeterminant(), "CCCC")
    'C C C C'

    Source: Stewart and Plotkin, PNAS 109 (2012) 10134.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(coin(key, after(obs, 1.0, *CHANCES))), carry
