"""What planning leaves behind when it is meant to be random: a policy that draws from a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True, eq=False)
class MixedTablePolicy:
    """Draws its action by chances over the states of the world's model.

    ends [S, A] float32, the cumulative chances of the actions in their order; values [S] float32,
    what it expects to attain: the reading of a power limit. Both are data, as in `TablePolicy`.
    """

    ends: Array
    values: Array

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    @classmethod
    def of(cls, chances: Any, values: Any) -> MixedTablePolicy:
        """From chances [S, A] and values [S]. Raises `ValueError` if a row does not sum to 1."""
        rows = np.asarray(chances, np.float64)
        if not (rows >= 0).all() or not np.allclose(rows.sum(axis=1), 1.0, atol=1e-9):
            raise ValueError(
                "the chances of each state's actions must be at least 0, and sum to 1."
            )
        ends = np.cumsum(rows, axis=1)
        # What rounding leaves above the last possible action must not be drawn.
        last = rows.shape[1] - 1 - (rows[:, ::-1] > 0).argmax(axis=1)
        ends[np.arange(rows.shape[1]) >= last[:, None]] = 2.0
        return cls(ends.astype(np.float32), np.asarray(values, np.float32))

    def init(self, key: Array) -> Any:
        return ()

    def act(self, key: Array, carry: Any, obs: Obs) -> tuple[Array, Any]:
        ends = jnp.asarray(self.ends)[jnp.asarray(obs.world["state"], jnp.int32)]
        return (jax.random.uniform(key) >= ends[:-1]).sum().astype(jnp.int32)[None], carry

    def power(self, carry: Any, obs: Obs) -> Array:
        """The value of the state it is in."""
        return jnp.asarray(self.values)[jnp.asarray(obs.world["state"], jnp.int32)]
