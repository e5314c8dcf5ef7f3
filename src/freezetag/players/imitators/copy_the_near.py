"""Copies its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._imitation import towards
from freezetag.players._moves import check_chances


@final
@dataclass(frozen=True)
class CopyTheNear:
    """Moves a trait towards the last level of whoever sits nearest, and acts at that level.

    The seats stand in a ring by their labels, which are drawn anew in every episode. The trait x
    starts at `start`; each step x <- x + rate (model - x), where the model is the mean level of
    those seen at the smallest distance (one seat, or one on each side). The carry is x, which no
    opening resets.

    >>> from freezetag.players._lines import play_line
    >>> play_line(CopyTheNear(), "CDDDC CC")
    'C C C D D C C'

    Raises `ValueError` for a rate or start outside [0, 1], if it is a Python number. Source:
    imitation rule x <- x + l (x_model - x) of docs/sources.md W8; the ring is ours.
    """

    rate: float = 0.3
    start: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_chances(self, "rate", "start")

    def init(self, key: Array) -> Array:
        return jnp.float32(self.start)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        seats = obs.seen.shape[0]
        apart = (jnp.arange(seats) - obs.seat) % seats
        apart = jnp.where(obs.seen, jnp.minimum(apart, seats - apart), seats)
        x = towards(carry, obs.seen & (apart == apart.min()), obs.levels, self.rate)
        return obs.at_level(x), x
