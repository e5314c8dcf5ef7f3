"""Win-stay, lose-shift: keep what went well, change what did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs
from freezetag.players._moves import after


@final
@dataclass(frozen=True)
class WinStayLoseShift:
    """Cooperates first, then cooperates after CC and DD, and defects after CD and DC (Pavlov).

    "Win" means that the others cooperated. In a world of many their mean last level decides: C
    from .5 up.

    >>> from freezetag.players._lines import play_line
    >>> play_line(WinStayLoseShift(), "CDDC")
    'C C D C'

    Source: Nowak and Sigmund, Nature 364 (1993) 56.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(after(obs, 1.0, 1.0, 0.0, 0.0, 1.0)), carry
