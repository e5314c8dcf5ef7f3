"""A world, a player and a probe of a user's own, as short as they can be."""

from __future__ import annotations

WORLD = '''
"""A world in which nothing happens."""
from dataclasses import dataclass
from typing import NamedTuple
import jax.numpy as jnp
from freezetag.core import Outcome

class State(NamedTuple):
    present: object
    last: object

@dataclass(frozen=True)
class Still:
    players: int = 3
    pay: float = 1.0
    horizon: int = 4
    min_players = 1
    action_sizes = (2,)
    rest = (1,)
    sensors = {"power": "utility"}
    def init(self, key, present):
        return State(jnp.asarray(present, bool), jnp.ones((self.players, 1), jnp.int32))
    def observe(self, state):
        return {}
    def scale(self, state):
        zeros = jnp.zeros((self.players, 1), jnp.int32)
        return zeros + 1, zeros
    def legal(self, state):
        return jnp.ones((self.players, 2), bool)
    def played(self, state):
        return state.last
    def step(self, key, state, actions):
        rewards = (self.pay * (actions[:, 0] == 0) * state.present).astype(jnp.float32)
        last = jnp.where(state.present[:, None], actions, 1)
        return Outcome(State(state.present, last), rewards, jnp.asarray(False))
    def sense(self, state):
        return {"power": jnp.zeros(self.players, jnp.float32)}
    def account(self, state):
        return {}
'''
PLAYER = """
from dataclasses import dataclass
from typing import ClassVar

@dataclass(frozen=True)
class Level:
    level: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    def init(self, key):
        return ()
    def act(self, key, carry, obs):
        return obs.at_level(self.level), ()
"""
AGENT = """
FAMILY = "mine"
class Agent:
    def __init__(self, seed=0, trust=0.5):
        self.trust = trust
    def act(self, obs):
        mean = obs["mean_level"]
        return obs["prosocial"] if mean is None or mean >= self.trust else obs["selfish"]
class Kind:
    def act(self, obs):
        return obs["prosocial"]
"""
