"""Does as most do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import check_chances


@final
@dataclass(frozen=True)
class Conformist:
    """Moves a trait towards what the majority did, and acts at that level.

    The trait x starts at `start`; each step x <- x + rate (model - x), where the model is 1 if
    more than half of those seen acted at level .5 or more, 0 if fewer than half did; a tie moves
    nothing. The carry is x, which no opening resets.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Conformist(), "DDDDD CC")
    'C C C C D D D'

    Raises `ValueError` for a rate or start outside [0, 1], if it is a Python number.
    Source: imitation rule x <- x + l (x_model - x) of docs/sources.md W8.
    """

    rate: float = 0.2
    start: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_chances(self, "rate", "start")

    def init(self, key: Array) -> Array:
        return jnp.float32(self.start)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        votes = jnp.where(obs.seen, jnp.where(obs.levels >= 0.5, 1.0, -1.0), 0.0).sum()
        model = jnp.where(votes > 0, 1.0, 0.0)
        x = jnp.where(votes == 0, carry, carry + self.rate * (model - carry))
        return obs.at_level(x), x
