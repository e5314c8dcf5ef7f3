"""What planning leaves behind: a policy that looks its action up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True, eq=False)
class TablePolicy:
    """Acts by tables over the states of the world's model, in the rows of time T.

    actions [T, S] int32; values [T, S] float32, what it expects to attain: the reading of a power
    limit. Row t holds at step t, the last row ever after. The tables are data, so that all
    planners of a world share one compiled program.
    """

    actions: Array
    values: Array

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    @classmethod
    def of(cls, actions: Any, values: Any) -> TablePolicy:
        """From [S] or [T, S] tables."""
        return cls(
            np.atleast_2d(np.asarray(actions, np.int32)),
            np.atleast_2d(np.asarray(values, np.float32)),
        )

    def init(self, key: Array) -> Any:
        return ()

    def act(self, key: Array, carry: Any, obs: Obs) -> tuple[Array, Any]:
        return self._look(self.actions, obs)[None], carry

    def power(self, carry: Any, obs: Obs) -> Array:
        """The value of the state it is in."""
        return self._look(self.values, obs)

    def _look(self, table: Array, obs: Obs) -> Array:
        table = jnp.asarray(table)
        row = jnp.minimum(obs.step, table.shape[0] - 1)
        return table[row, jnp.asarray(obs.world["state"], jnp.int32)]
