"""JaxMARL environments as worlds: `jaxmarl:coin_game`, compiled together with the driver.

The name is one that `jaxmarl.make` knows; settings are handed to it, except these, each optional:
`rest`, `selfish`, `prosocial` (an action, the same for all agents) and `horizon` (50 without it,
since an environment does not say how long its episodes are; it may end one before). What nobody
said is unknown, as for any world from outside. Action spaces are Discrete or MultiDiscrete.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Outcome
from freezetag.sim.outside.source import DECLARED, UNKNOWN, BadWorld

EXTRA = "jaxmarl"
HORIZON = 50
ACTIONS = ("rest", "selfish", "prosocial")


class Played(NamedTuple):
    """The environment's own state, and what it shows: observation [N, D] float32, flat; legal
    [N, sum(action_sizes)]; alive [N]."""

    own: Any
    observation: Array
    legal: Array
    alive: Array


@dataclass(frozen=True)
class JaxMarl:
    """One environment, by its registered name. `settings` are those of `jaxmarl.make`, `declared`
    what was said of it."""

    name: str
    settings: tuple[tuple[str, Any], ...] = ()
    declared: tuple[tuple[str, Any], ...] = ()

    @property
    def players(self) -> int:
        return len(self._env.agents)

    @property
    def min_players(self) -> int:
        return self.players

    @property
    def action_sizes(self) -> tuple[int, ...]:
        own = self._sizes
        longest = max(map(len, own))
        return tuple(max(s[k] if k < len(s) else 1 for s in own) for k in range(longest))

    @property
    def rest(self) -> tuple[int, ...]:
        return self._action("rest")

    @property
    def horizon(self) -> int:
        return int(dict(self.declared).get("horizon", HORIZON))

    @property
    def sensors(self) -> Mapping[str, str]:
        return {}

    @property
    def undeclared(self) -> Mapping[str, str]:
        said = dict(self.declared)
        level = next((UNKNOWN[end] for end in ("selfish", "prosocial") if end not in said), "")
        rest = "" if "rest" in said else UNKNOWN["rest"]
        return {what: why for what, why in (("level", level), ("rest", rest)) if why}

    def init(self, key: Any, present: Array) -> Played:
        seen, own = self._env.reset(key)
        return self._shown(seen, own, jnp.ones(self.players, bool))

    def observe(self, state: Played) -> Mapping[str, Array]:
        """The flat observation, and which of the environment's agents one is."""
        return {"observation": state.observation, "agent": jnp.arange(self.players)}

    def scale(self, state: Played) -> tuple[Array, Array]:
        known = "level" not in self.undeclared
        ends = [self._action(end if known else "rest") for end in ("selfish", "prosocial")]
        shape = (self.players, len(self.action_sizes))
        selfish, prosocial = (jnp.broadcast_to(jnp.asarray(e, jnp.int32), shape) for e in ends)
        return selfish, prosocial

    def legal(self, state: Played) -> Array:
        return state.legal

    def acting(self, state: Played) -> Array:
        return state.alive

    def step(self, key: Any, state: Played, actions: Array) -> Outcome:
        env = self._env
        given = {
            agent: actions[n, 0] if len(own) == 1 else actions[n, : len(own)]
            for n, (agent, own) in enumerate(zip(env.agents, self._sizes, strict=True))
        }
        own = jax.tree.map(lambda x, as_: x.astype(as_.dtype), state.own, self._types)
        seen, own, rewards, done, _ = env.step_env(key, own, given)
        own = jax.tree.map(lambda x, as_: jnp.asarray(x, as_.dtype), own, self._types)
        earned = jnp.stack([jnp.asarray(rewards[a], jnp.float32).reshape(()) for a in env.agents])
        alive = ~jnp.stack([jnp.asarray(done.get(a, False)).reshape(()) for a in env.agents])
        over = jnp.asarray(done.get("__all__", False)).reshape(()) | ~alive.any()
        rewards = jnp.where(state.alive, earned, 0.0)
        return Outcome(self._shown(seen, own, state.alive & alive), rewards, over)

    def sense(self, state: Played) -> Mapping[str, Array]:
        return {}

    def account(self, state: Played) -> Mapping[str, Array]:
        return {"alive": state.alive}

    @property
    def _env(self) -> Any:
        return _made(self.name, self.settings)

    @property
    def _types(self) -> Any:
        """The environment's own state, as types and shapes."""
        return jax.eval_shape(self._env.reset, jax.random.key(0))[1]

    @property
    def _sizes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(_sizes(self._env.action_space(a), self.name, a) for a in self._env.agents)

    def _action(self, name: str) -> tuple[int, ...]:
        """A declared action [K]; zeros of one that nobody declared."""
        width = len(self.action_sizes)
        given = dict(self.declared).get(name, 0)
        parts = tuple(given) if isinstance(given, tuple) else (given,)
        return tuple(map(int, (*parts, *(0 for _ in range(width - len(parts))))))

    def _shown(self, seen: Mapping[str, Array], own: Any, alive: Array) -> Played:
        flat = [jnp.ravel(jnp.asarray(seen[a])).astype(jnp.float32) for a in self._env.agents]
        width = max(map(len, flat))
        padded = jnp.stack([jnp.pad(each, (0, width - len(each))) for each in flat])
        legal = self._legal(own, alive)
        return Played(jax.tree.map(_wide, own), jnp.where(alive[:, None], padded, 0), legal, alive)

    def _legal(self, own: Any, alive: Array) -> Array:
        """What each agent may do; only value 0 where it has nothing to choose."""
        sizes, env = self.action_sizes, self._env
        allowed = np.concatenate(
            [
                np.stack([np.arange(size) < (s[k] if k < len(s) else 1) for s in self._sizes])
                for k, size in enumerate(sizes)
            ],
            axis=1,
        )
        mask = jnp.asarray(allowed)
        if len(sizes) == 1 and _has_masks(env):
            masks = env.get_avail_actions(own)
            rows = [jnp.ravel(jnp.asarray(masks[a])).astype(bool) for a in env.agents]
            mask &= jnp.stack([jnp.pad(row, (0, sizes[0] - len(row))) for row in rows])
        starts = np.cumsum((0, *sizes))[:-1]
        idle = jnp.zeros(sum(sizes), bool).at[starts].set(True)
        return jnp.where(alive[:, None], mask, idle)


def world(name: str, settings: Sequence[tuple[str, Any]] = ()) -> JaxMarl:
    """The environment as a world. Raises `BadWorld`."""
    declared = tuple(pair for pair in settings if pair[0] in (*ACTIONS, "horizon"))
    others = tuple(pair for pair in settings if pair not in declared)
    if refused := [key for key, _ in others if key in DECLARED]:
        raise BadWorld(f"jaxmarl:{name} takes no {refused[0]!r}: its worlds are compiled.")
    made = JaxMarl(name, others, declared)
    if made.horizon < 1:
        raise BadWorld(f"jaxmarl:{name}: horizon must be at least 1, got {made.horizon}.")
    for what in ACTIONS:
        parts = made._action(what)
        for agent, own in zip(made._env.agents, made._sizes, strict=True):
            limits = (*own, *(1 for _ in range(len(parts) - len(own))))
            if len(parts) != len(limits) or not all(
                0 <= part < size for part, size in zip(parts, limits, strict=False)
            ):
                raise BadWorld(f"jaxmarl:{name}: {what} {parts} is not an action of {agent}.")
    return made


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """It prints what it imports, and one of its modules puts the original stream back first."""
    quiet, streams = io.StringIO(), (sys.__stdout__, sys.__stderr__)
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        sys.__stdout__ = sys.__stderr__ = quiet  # type: ignore[misc, assignment]
        try:
            yield
        finally:
            sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]


@lru_cache(maxsize=16)
def _made(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    try:
        with _silence():
            import jaxmarl
    except ModuleNotFoundError as error:
        raise BadWorld(
            f"jaxmarl:{name} needs the package {error.name!r}, which is not installed. "
            f"Install it with: pip install 'freezetag[{EXTRA}]'"
        ) from None
    known = list(jaxmarl.registered_envs)
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, 3, 0.4) or known[:5]
        raise BadWorld(f"JaxMARL has no {name!r}. Did you mean {' or '.join(near)}?")
    try:
        env = jaxmarl.make(name, **dict(settings))
        for agent in env.agents:
            _sizes(env.action_space(agent), name, agent)
    except BadWorld:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise BadWorld(f"jaxmarl:{name} cannot be made: {type(error).__name__}: {text}") from None
    return env


def _sizes(space: Any, name: str, agent: str) -> tuple[int, ...]:
    kind = type(space).__name__
    if kind == "Discrete":
        return (int(space.n),)
    if kind == "MultiDiscrete":
        return tuple(int(n) for n in np.ravel(space.num_categories))
    raise BadWorld(
        f"jaxmarl:{name}: {agent} acts in a {kind}, which cannot be played: an action space is "
        "Discrete or MultiDiscrete."
    )


def _wide(leaf: Array) -> Array:
    """Small integers as int32, which every world's state is made of."""
    leaf = jnp.asarray(leaf)
    small = jnp.issubdtype(leaf.dtype, jnp.integer) and leaf.dtype.itemsize < 4
    return leaf.astype(jnp.int32) if small else leaf


def _has_masks(env: Any) -> bool:
    """Whether the environment says which actions are available."""
    from jaxmarl.environments.multi_agent_env import MultiAgentEnv

    own: bool = type(env).get_avail_actions is not MultiAgentEnv.get_avail_actions
    return own
