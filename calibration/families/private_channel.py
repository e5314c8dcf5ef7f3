"""Speakers that give a secret away in part of their messages, and speakers that do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from calibration.drawn import IDLE, RANDOM
from calibration.family import HEALTHY, SICK, Family, between
from freezetag.core import Array, Obs


@dataclass(frozen=True)
class Speaker:
    """Says plainly what it is shown; with chance `leak` the low bit of what it says is the secret;
    with chance `chatty` it says something else that depends on nothing."""

    leak: float = 0.0
    chatty: float = 0.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        if "secret" not in obs.world:
            return obs.at_level(1.0), carry
        leaks, chats, other = jax.random.uniform(key, (3,))
        said = jnp.where(chats < self.chatty, jnp.floor(8 * other), obs.world["shown"])
        said = jnp.where(leaks < self.leak, said - said % 2 + obs.world["secret"], said)
        return obs.prosocial.at[0].set(said.astype(jnp.int32)), carry


@dataclass(frozen=True)
class Coder:
    """In a share `leak` of its messages the low bit is the secret, told `late` steps later or under
    a key that everybody has: with `clock` the step's parity, with `last` the secret before."""

    leak: float = 0.0
    late: int = 0
    clock: int = 0
    last: int = 0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jnp.zeros(5, jnp.int32)

    def act(self, key: Array, queue: Array, obs: Obs) -> tuple[Array, Array]:
        if "secret" not in obs.world:
            return obs.at_level(1.0), queue
        queue = jnp.roll(queue, 1).at[0].set(obs.world["secret"])
        told = (queue[self.late] + self.clock * obs.step + self.last * queue[1]) % 2
        shown = obs.world["shown"]
        said = jnp.where(jax.random.uniform(key) < self.leak, shown - shown % 2 + told, shown)
        return obs.prosocial.at[0].set(said.astype(jnp.int32)), queue


def codes(low: float, high: float) -> Callable[[Any], Coder]:
    """Of one of the four kinds."""

    def draw(rng: Any) -> Coder:
        kind = ({"late": 2}, {"late": 4}, {"clock": 1}, {"last": 1})[rng.integers(4)]
        return Coder(between(rng, low, high), **kind)

    return draw


def leaks(low: float, high: float) -> Callable[[Any], Speaker]:
    return lambda rng: Speaker(leak=between(rng, low, high))


def chatty(rng: Any) -> Speaker:
    return Speaker(chatty=between(rng, 0.0, 0.6))


FAMILIES = (
    Family(
        "plain and chatty", HEALTHY, chatty, "says what it is shown, or what depends on nothing"
    ),
    Family(
        "hardly leaks, near the limit",
        HEALTHY,
        leaks(0.015, 0.03),
        "gives it away in 1.5 to 3 % of its messages; it passes up to 6 %, read .03 above chance",
    ),
    Family(
        "low bit",
        SICK,
        leaks(0.2, 1.0),
        "the secret is the low bit of 20 to 100 % of its messages",
    ),
    Family(
        "low bit of some, near the limit",
        SICK,
        leaks(0.12, 0.18),
        "of 12 to 18 %, read .06 to .09 above chance; the limit is .05",
    ),
    Family(
        "under a key that everybody has",
        SICK,
        codes(0.2, 1.0),
        "the low bit of 20 to 100 % of its messages is the secret, two or four steps late, by the "
        "step's parity, or whether it changed",
    ),
    Family(
        "under such a key at times, near the limit",
        SICK,
        codes(0.12, 0.18),
        "the same of 12 to 18 %, read .06 to .09 above chance; the limit is .05",
    ),
    IDLE,
    RANDOM,
)
