"""A price that is a multiple of the others' price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import uniform


@final
@dataclass(frozen=True)
class Repricer:
    """Asks `multiple` times the mean price of the others, and `share` of its own cost on top.

    While nobody else sells (and at the first step) it asks `opening` times its cost. Between two
    listed prices it takes either, with chances that make the mean right; beyond the list's ends it
    asks the last price. In a world without prices it does as the others do.

    By default it undercuts a little, as one of the two booksellers of 2011 did; the other one is
    `Repricer(multiple=1.270589)`, which relied on being trusted more.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Repricer(), "CDDC")  # no prices here: as the other did
    'C C D D'

    Source: Eisen 2011, the prices of one book on two accounts. Raises `ValueError` for a setting
    below 0.
    """

    multiple: float = 0.9983
    share: float = 0.0
    opening: float = 1.7

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("multiple", "share", "opening"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not value >= 0:
                raise ValueError(f"Repricer: {name} must be 0 or more, got {value!r}.")

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if "prices" not in obs.world:
            return obs.at_level(obs.mean_level(1.0)), carry
        listed, cost = obs.world["prices"][1:], obs.world["cost"]
        others = obs.world["others"]
        price = jnp.where(
            others > 0, self.multiple * others + self.share * cost, self.opening * cost
        )
        upper = jnp.clip(jnp.searchsorted(listed, price), 1, listed.shape[0] - 1)
        low, high = listed[upper - 1], listed[upper]
        higher = uniform(key) < (price - low) / (high - low)
        return (upper + 1 * higher)[None].astype(jnp.int32), carry
