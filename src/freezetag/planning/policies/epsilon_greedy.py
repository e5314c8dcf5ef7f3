"""A table of actions that is left, now and then, for any legal one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs


@final
@dataclass(frozen=True, eq=False)
class EpsilonGreedy:
    """actions [S] int32, values [S] float32; with chance `epsilon` a legal action, all equally
    likely, the table's own too."""

    actions: Array
    values: Array
    epsilon: float

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    @classmethod
    def of(cls, actions: Any, values: Any, epsilon: float) -> EpsilonGreedy:
        """From [S] tables. Raises `ValueError` for a chance outside [0, 1]."""
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon lies in [0, 1], got {epsilon!r}.")
        return cls(np.asarray(actions, np.int32), np.asarray(values, np.float32), epsilon)

    def init(self, key: Array) -> Any:
        return ()

    def act(self, key: Array, carry: Any, obs: Obs) -> tuple[Array, Any]:
        greedy = jnp.asarray(self.actions)[self._state(obs)]
        explores, which = jax.random.split(key)
        anything = jax.random.categorical(which, jnp.where(obs.legal, 0.0, -jnp.inf))
        chosen = jnp.where(jax.random.uniform(explores) < self.epsilon, anything, greedy)
        return chosen.astype(jnp.int32)[None], carry

    def power(self, carry: Any, obs: Obs) -> Array:
        """The value of the state it is in, as if it never explored."""
        return jnp.asarray(self.values)[self._state(obs)]

    def _state(self, obs: Obs) -> Array:
        return jnp.asarray(obs.world["state"], jnp.int32)
