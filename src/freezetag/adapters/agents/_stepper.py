"""One episode of a world, step by step from Python: the driver's own step, compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs
from freezetag.sim.columns import Column, column
from freezetag.sim.step import Batch, Shared, State, Steps, Structure
from freezetag.sim.template import split


@dataclass(frozen=True)
class Layout:
    """How an observation lies in one flat vector [D] of float32: name -> length, in order.

    step, reward, level (own last), players (oneself included), action, selfish, prosocial [K],
    and of the other seats, in the order of their labels: seen, levels, rewards [N - 1]; then the
    world's own fields by name ("world.stock"). The same numbers as a plain agent's dictionary.
    """

    seats: int
    lengths: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        return sum(length for _, length in self.lengths)

    def slices(self) -> dict[str, slice]:
        """name -> where it lies."""
        found, start = {}, 0
        for name, length in self.lengths:
            found[name] = slice(start, start + length)
            start += length
        return found

    def flat(self, plain: Mapping[str, Any]) -> Array:
        """[D] from the dictionary that a plain agent gets."""
        others = [label for label in range(self.seats) if label != plain["seat"]]
        fields: dict[str, Any] = {
            "step": plain["step"],
            "reward": plain["reward"],
            "level": plain["level"] or 0.0,
            "players": plain["players"],
            "action": 0 if plain["action"] is None else plain["action"],
            "selfish": plain["selfish"],
            "prosocial": plain["prosocial"],
            "seen": [label in plain["levels"] for label in others],
            "levels": [plain["levels"].get(label, 0.0) for label in others],
            "rewards": [plain["rewards"].get(label, 0.0) for label in others],
        }
        fields |= {f"world.{name}": value for name, value in plain["world"].items()}
        out = np.zeros(self.size, np.float32)
        for name, part in self.slices().items():
            out[part] = np.ravel(np.asarray(fields[name], np.float32))
        return out


class Episode(NamedTuple):
    """Where an episode stands, and its data: key, present [N] bool, the driver's state."""

    key: Array
    present: Array
    state: State


class Look(NamedTuple):
    """What came of a step. flat [N, D], legal [N, A], rewards [N], over [], illegal [N]."""

    flat: Array
    legal: Array
    rewards: Array
    over: Array
    illegal: Array


class Stepper:
    """`begin(key, present)` and `step(state, actions)` of a world, present [N] bool.

    `classmates` are (seat, JAX player), which act inside the compiled step; the actions of the
    other seats are given. States are opaque.
    """

    def __init__(self, substrate: Any, classmates: Sequence[tuple[int, Any]] = ()) -> None:
        self.substrate = substrate
        template, leaves = split(substrate)
        seated = dict(classmates)
        parts: list[Any] = [
            column([seated[n]], np.zeros(1, np.int32))
            if n in seated
            else (
                Column((), host=True),
                (),
                {"group": np.zeros(1, int), "member": np.zeros(1, int)},
            )
            for n in range(substrate.players)
        ]
        self.given = np.array([n not in seated for n in range(substrate.players)])
        # The driver counts time; here the adapter does, so any horizon will do.
        structure = Structure(template, tuple(part[0] for part in parts), 1, (), ())
        rest = np.asarray(substrate.rest, np.int32)
        shared = Shared(leaves, tuple(part[1] for part in parts), (), rest, {})
        self.steps = Steps(structure, shared)
        self.data = tuple({k: v[0] for k, v in part[2].items()} for part in parts)
        self.layout = self._layout()
        self.begin, self.step = jax.jit(self._begin), jax.jit(self._step)

    def batch(self, key: Array, present: Array) -> Batch:
        """The data of one episode, in which nobody is equipped and nothing is pressed."""
        return Batch(
            key=key,
            present=present,
            seats=self.data,
            equipped=jnp.zeros(self.substrate.players, bool),
            press=jnp.int32(0),
            hold=jnp.int32(0),
            forcing=(),
            treatments=(),
        )

    def _begin(self, key: Array, present: Array) -> tuple[Episode, Look]:
        state = self.steps.begin(self.batch(key, present))
        episode = Episode(key, present, state)
        return episode, self._look(episode, jnp.zeros(self.substrate.players, bool))

    def _step(self, episode: Episode, actions: Array) -> tuple[Episode, Look]:
        batch, state = self.batch(episode.key, episode.present), episode.state
        obs = self.steps.look(batch, state)
        proposed, odd, carries = self.steps.decide(batch, state, obs)
        proposed = jnp.where(self.given[:, None], actions, proposed)
        odd = odd & ~self.given
        state, record = self.steps.advance(batch, state, obs, proposed, odd, carries)
        episode = episode._replace(state=state)
        return episode, self._look(episode, record["illegal"])

    def look(self, episode: Episode) -> Obs:
        """What every seat sees now: fields have a leading axis N."""
        return self.steps.look(self.batch(episode.key, episode.present), episode.state)

    def _look(self, episode: Episode, illegal: Array) -> Look:
        obs, state = self.look(episode), episode.state
        flat = jax.vmap(self._flat)(obs)
        return Look(flat, obs.legal, state.rewards, state.done, illegal)

    def _flat(self, obs: Obs) -> Array:
        n = self.substrate.players
        slot = jnp.arange(n - 1)
        label = slot + (slot >= obs.seat)
        fields = {
            "step": obs.step,
            "reward": obs.own_reward,
            "level": obs.own_level,
            "players": 1 + obs.present.sum(),
            "action": obs.own_action,
            "selfish": obs.selfish,
            "prosocial": obs.prosocial,
            "seen": obs.seen[label],
            "levels": obs.levels[label],
            "rewards": obs.others_rewards[label],
        }
        fields |= {f"world.{name}": value for name, value in obs.world.items()}
        return jnp.concatenate(
            [jnp.ravel(fields[name]).astype(jnp.float32) for name, _ in self.layout.lengths]
        )

    def _layout(self) -> Layout:
        n, width = self.substrate.players, len(self.substrate.action_sizes)
        state = self.substrate.init(jax.random.key(0), np.ones(n, bool))
        world = {
            f"world.{name}": int(np.prod(np.shape(value)[1:]))
            for name, value in sorted(self.substrate.observe(state).items())
        }
        own = dict.fromkeys(("step", "reward", "level", "players"), 1)
        ends = dict.fromkeys(("action", "selfish", "prosocial"), width)
        others = dict.fromkeys(("seen", "levels", "rewards"), n - 1)
        return Layout(n, tuple({**own, **ends, **others, **world}.items()))


@lru_cache(maxsize=64)
def stepper(substrate: Any, classmates: tuple[tuple[int, Any], ...] = ()) -> Stepper:
    """The stepper of a world, shared by all environments alike, so that each compiles once."""
    return Stepper(substrate, classmates)
