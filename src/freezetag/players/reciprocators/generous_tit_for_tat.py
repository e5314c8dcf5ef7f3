"""Generous tit for tat: tit for tat that lets some defections pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import check_chances, coin


@final
@dataclass(frozen=True)
class GenerousTitForTat:
    """Plays tit for tat, but cooperates fully with chance `generosity` instead.

    In a world of many it answers to the mean last level of those seen. The default generosity,
    min(1 - (T-R)/(R-S), (R-P)/(T-P)), is that of the payoffs 5, 3, 1, 0.

    >>> from freezetag.players._lines import play_line
    >>> play_line(GenerousTitForTat(generosity=0.0), "CDDC")
    'C C D D'
    >>> play_line(GenerousTitForTat(generosity=1.0), "CDDC")
    'C C C C'

    Raises `ValueError` for a chance outside [0, 1], if it is a Python number.
    Source: Nowak and Sigmund, Nature 355 (1992) 250; Molander, J. Conflict Resolut. 29 (1985) 611.
    """

    generosity: float = 1 / 3

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "generosity")

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        pardon = coin(key, self.generosity)
        return obs.at_level(jnp.maximum(obs.mean_level(1.0), pardon)), carry
