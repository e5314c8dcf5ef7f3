"""Retaliates once in a long while, and holds nothing against anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import other_c


@final
@dataclass(frozen=True)
class Forgiving:
    """Cooperates unless the others defected `patience` times in a row; answers that with one D.

    Then it forgives and counts anew: tit for many tats. In a world of many a step counts as a
    defection if the mean last level of those seen is below .5. The carry counts.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Forgiving(patience=3), "DDDDD DCC")
    'C C C D C C D C'

    Raises `ValueError` for a patience below 1. Source: docs/sources.md R1; Axelrod (1984) describes
    tit for two tats.
    """

    patience: int = 10

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(f"Forgiving: patience must be at least 1, got {self.patience!r}.")

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        tats = jnp.where(obs.step == 0, 0, (carry + 1) * (1 - jnp.int32(other_c(obs))))
        enough = tats >= self.patience
        return obs.at_level(jnp.where(enough, 0.0, 1.0)), jnp.where(enough, 0, tats)
