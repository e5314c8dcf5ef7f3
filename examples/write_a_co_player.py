"""A player of your own in pure JAX: checked against the contract, then examined.

python examples/write_a_co_player.py
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

import freezetag as ft


@dataclass(frozen=True)
class Forgets:
    """Tit for tat with a fading memory: what was done long ago counts less."""

    memory: float = 0.5  # a float field is a setting: a batch may hold many values of it

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key):
        return jnp.float32(1.0)  # the carry: how well the others are thought of

    def act(self, key, carry, obs):
        now = obs.mean_level(1.0)
        carry = self.memory * carry + (1 - self.memory) * now
        return obs.at_level(carry), carry


ft.check_policy(Forgets())
print("keeps the contract of a player")
print(ft.examine(Forgets(), probes=["lock_in"], seed=0))
