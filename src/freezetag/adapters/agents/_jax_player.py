"""A player in JAX among agents in Python: it is asked step by step, in their process.

It sees the same `Obs` as in the driver. Its random numbers start from the episode's seed, so that
runs repeat; they are not the ones that it would draw in a seat of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from freezetag import catalogue
from freezetag.core import Array, Obs, Ref
from freezetag.core.named import parse
from freezetag.sim import engine


def player(text: str) -> Callable[[int], Player]:
    """`make(seed) -> agent` for the player that a Ref's text names."""
    engine.start()
    path, settings = parse(text)
    policy = catalogue.load(Ref(path, settings))
    return lambda seed: Player(policy, seed)


class Player:
    """One player in one episode."""

    def __init__(self, policy: Any, seed: int) -> None:
        self._policy, self._seed, self._day, self._step = policy, seed, 0, 0
        self._carry = _program(policy, "init")(self._key())
        if hasattr(policy, "learn"):
            self.learn = self._learn

    def act_on(self, fields: Mapping[str, Array]) -> Array:
        """The action [K] on the fields of `Obs`; the world's are named "world.<name>"."""
        if int(fields["step"]) == 0 and self._step > 0 and not hasattr(self._policy, "learn"):
            self._carry = _program(self._policy, "init")(self._key())
        self._step += 1
        key = jax.random.fold_in(self._key(), self._step)
        action, self._carry = _program(self._policy, "act")(key, self._carry, dict(fields))
        return np.asarray(action)

    def _learn(self, day: Mapping[str, Any]) -> None:
        self._day += 1
        columns = {name: np.asarray(values) for name, values in day.items()}
        key = jax.random.fold_in(self._key(), 2**31 - 1)
        self._carry = _program(self._policy, "learn")(key, self._carry, columns)

    def _key(self) -> Array:
        return jax.random.fold_in(jax.random.key(self._seed % 2**32), self._day)


@lru_cache(maxsize=1024)
def _program(policy: Any, method: str) -> Any:
    """A method of a policy, compiled once for all episodes."""
    if method != "act":
        return jax.jit(getattr(policy, method))

    def act(key: Array, carry: Any, fields: dict[str, Array]) -> Any:
        own = {name: value for name, value in fields.items() if not name.startswith("world.")}
        world = {name[6:]: value for name, value in fields.items() if name.startswith("world.")}
        action, after = policy.act(key, carry, Obs(**own, world=world))
        width = own["selfish"].shape
        return jax.numpy.broadcast_to(jax.numpy.asarray(action), width), after

    return jax.jit(act)
