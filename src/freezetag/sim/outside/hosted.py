"""A world from outside as the compiled parts of a step know it: arrays that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp

from freezetag.core import Array, Outcome
from freezetag.sim.outside.source import Source


@dataclass(frozen=True)
class Found:
    """What the world said of itself when it was asked once.

    agents     its names for the seats
    sizes      of each agent's action, component by component
    width      numbers in the longest flat observation; 0 if they cannot be flattened
    horizon    steps of an episode
    rest       [K]
    power, bystander  units of what was declared; "" of what was not
    unknown    (what, why): what nobody said of it
    """

    agents: tuple[str, ...]
    sizes: tuple[tuple[int, ...], ...]
    width: int
    horizon: int
    rest: tuple[int, ...]
    power: str = ""
    bystander: str = ""
    unknown: tuple[tuple[str, str], ...] = ()


class Shown(NamedTuple):
    """What the world shows before a step: the state, as the compiled parts see it.

    alive, acting      [N] bool   who is there; who acts in this step
    legal              [N, sum(action_sizes)] bool
    observation        [N, width] float32, flat; zeros behind a shorter one and for the dead
    selfish, prosocial [N, K] int32
    power              [N] float32, NaN where there is none
    bystander          [] float32, of the last step
    """

    alive: Array
    acting: Array
    legal: Array
    observation: Array
    selfish: Array
    prosocial: Array
    power: Array
    bystander: Array


@dataclass(frozen=True)
class Hosted:
    """A `Substrate` whose rules run elsewhere: `init` is empty and `step` is never called; the
    driver takes the first state and every step from a `Stage`.

    Seats are the environment's own agents, in its order, and all are taken. Of an agent that is at
    its end the seat stays: it rests, earns 0, and is not asked.
    """

    source: Source
    found: Found

    @property
    def players(self) -> int:
        return len(self.found.agents)

    @property
    def min_players(self) -> int:
        return self.players

    @property
    def action_sizes(self) -> tuple[int, ...]:
        """Of the largest component that any agent has there; `legal` says what is one's own."""
        longest = max(map(len, self.found.sizes))
        return tuple(
            max((own[k] if k < len(own) else 1) for own in self.found.sizes) for k in range(longest)
        )

    @property
    def rest(self) -> tuple[int, ...]:
        return self.found.rest

    @property
    def horizon(self) -> int:
        return self.found.horizon

    @property
    def sensors(self) -> Mapping[str, str]:
        return {"power": self.found.power} if self.found.power else {}

    @property
    def undeclared(self) -> Mapping[str, str]:
        return dict(self.found.unknown)

    def init(self, key: Any, present: Array) -> Shown:
        n, k, legal = self.players, len(self.action_sizes), sum(self.action_sizes)
        return Shown(
            alive=jnp.ones(n, bool),
            acting=jnp.ones(n, bool),
            legal=jnp.ones((n, legal), bool),
            observation=jnp.zeros((n, self.found.width), jnp.float32),
            selfish=jnp.zeros((n, k), jnp.int32),
            prosocial=jnp.zeros((n, k), jnp.int32),
            power=jnp.full(n, jnp.nan, jnp.float32),
            bystander=jnp.zeros((), jnp.float32),
        )

    def observe(self, state: Shown) -> Mapping[str, Array]:
        """The flat observation, and which of the environment's agents one is."""
        return {"observation": state.observation, "agent": jnp.arange(self.players)}

    def scale(self, state: Shown) -> tuple[Array, Array]:
        return state.selfish, state.prosocial

    def legal(self, state: Shown) -> Array:
        return state.legal

    def acting(self, state: Shown) -> Array:
        return state.acting

    def step(self, key: Any, state: Shown, actions: Array) -> Outcome:
        raise TypeError(f"{self.source} is stepped in a process of its own, by the driver.")

    def sense(self, state: Shown) -> Mapping[str, Array]:
        return {"power": state.power} if self.found.power else {}

    def account(self, state: Shown) -> Mapping[str, Array]:
        return {"alive": state.alive}


@dataclass(frozen=True)
class HostedWithBystander(Hosted):
    """One of which somebody said who gains or loses without acting in it."""

    @property
    def bystander_unit(self) -> str:
        return self.found.bystander

    def account(self, state: Shown) -> Mapping[str, Array]:
        return {**super().account(state), "bystander": state.bystander}


@lru_cache(maxsize=64)
def hosted(source: Source, version: int = 0) -> Hosted:
    """The world, asked once for what it is; `version` tells apart what a file held at two times.

    Raises `WorldFailed`.
    """
    from freezetag.sim.outside.stage import asked

    found = asked(source)
    return (HostedWithBystander if found.bystander else Hosted)(source, found)
