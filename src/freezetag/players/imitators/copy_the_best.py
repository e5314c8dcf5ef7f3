"""Copies whoever did best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._imitation import towards
from freezetag.players._moves import check_chances


@final
@dataclass(frozen=True)
class CopyTheBest:
    """Moves a trait towards the last level of whoever earned most, and acts at that level.

    The trait x starts at `start`; each step x <- x + rate (model - x), where the model is whoever
    of those seen earned most in the last step (the mean of those that tie). Nobody is copied who
    did not earn more than oneself. The carry is x, which no opening resets.

    >>> from freezetag.players._lines import play_line
    >>> play_line(CopyTheBest(), "CDDDD")  # D earns more than C
    'C C C D D'
    >>> play_line(CopyTheBest(start=0.0), "CCCCC")  # C earns less than D
    'D D D D D'

    Raises `ValueError` for a rate or start outside [0, 1], if it is a Python number.
    Source: imitation rule x <- x + l (x_model - x) of docs/sources.md W8.
    """

    rate: float = 0.5
    start: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_chances(self, "rate", "start")

    def init(self, key: Array) -> Array:
        return jnp.float32(self.start)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        best = jnp.max(jnp.where(obs.seen, obs.others_rewards, -jnp.inf))
        chosen = obs.seen & (obs.others_rewards >= best) & (best > obs.own_reward)
        x = towards(carry, chosen, obs.levels, self.rate)
        return obs.at_level(x), x
