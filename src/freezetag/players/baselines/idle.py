"""Does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True)
class Idle:
    """Leaves every component of its action at 0, the first value, whatever that means here.

    It looks at nothing. Which level 0 has depends on the world, and where 0 is not legal the
    driver lets it rest. Not on the roster: a fixture that no examination may let pass.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Idle(), "CDDC")  # in this line action 0 is a D
    'D D D D'
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return jnp.zeros_like(obs.selfish), carry
