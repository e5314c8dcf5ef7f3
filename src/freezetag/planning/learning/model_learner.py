"""An agent that learns its model while it acts, and plans in what it has learned so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.planning.learning.learned import learned

EXECUTED, PROPOSED = "executed", "proposed"
_TIE = 1e-4  # of the values' size: what 32-bit sweeps cannot tell apart


class Mind(NamedTuple):
    """The carry: counts [S, A, S], value [S] (where planning goes on), last state and wish []."""

    counts: Array
    value: Array
    state: Array
    wanted: Array


@final
@dataclass(frozen=True, eq=False)
class ModelLearner:
    """Counts what follows, plans by value iteration in L, explores with chance `epsilon`.

    rewards [S, S] R(s, s'); allowed [S, A] bool. `records` says which action it writes down:
    "executed", or "proposed", the mistake of an agent that is not told of its stop (T9). Each
    step goes on planning from the values of the step before, `sweeps` sweeps.
    """

    rewards: Array
    allowed: Array
    discount: float
    epsilon: float
    strength: float = 1.0
    records: str = EXECUTED
    sweeps: int = 5

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Mind:
        states, actions = self.allowed.shape
        zero = jnp.zeros((), jnp.int32)
        counts = jnp.zeros((states, actions, states), jnp.float32)
        return Mind(counts, jnp.zeros(states, jnp.float32), zero, zero)

    def act(self, key: Array, carry: Mind, obs: Obs) -> tuple[Array, Mind]:
        state = jnp.asarray(obs.world["state"], jnp.int32)
        done = obs.own_action[0] if self.records == EXECUTED else carry.wanted
        seen = jnp.where(obs.step > 0, 1.0, 0.0)
        counts = carry.counts.at[carry.state, done, state].add(seen)
        q, value = self._plan(counts, carry.value)
        best = q >= q.max(-1, keepdims=True) - _TIE * (1 + jnp.abs(q.max()))
        explores, which = jax.random.split(key)
        legal = jnp.asarray(self.allowed)[state]
        random = jax.random.categorical(which, jnp.where(legal, 0.0, -jnp.inf))
        greedy = best[state].argmax()
        wanted = jnp.where(jax.random.uniform(explores) < self.epsilon, random, greedy)
        wanted = wanted.astype(jnp.int32)
        return wanted[None], Mind(counts, value, state, wanted)

    def power(self, carry: Mind, obs: Obs) -> Array:
        """V^p of the state it is in, as planned at the step before."""
        return carry.value[jnp.asarray(obs.world["state"], jnp.int32)]

    def _plan(self, counts: Array, value: Array) -> tuple[Array, Array]:
        """(q [S, A], value [S]) after some more sweeps in L."""
        model = learned(counts, self.strength)
        reward = jnp.einsum("sat,st->sa", model, jnp.asarray(self.rewards, jnp.float32))
        allowed = jnp.asarray(self.allowed)

        def look(v: Array) -> Array:
            q = reward + self.discount * jnp.einsum("sat,t->sa", model, v)
            return jnp.where(allowed, q, -jnp.inf)

        value = jax.lax.fori_loop(0, self.sweeps, lambda _, v: look(v).max(-1), value)
        return look(value), value
