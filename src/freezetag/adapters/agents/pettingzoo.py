"""Every substrate as a PettingZoo environment, and PettingZoo's agents as agents to examine.

    env = to_parallel_env(Commons(players=5))           # a pettingzoo.ParallelEnv
    env = single_agent_env(Commons(), classmates)       # a gymnasium.Env, the class inside
    agent = from_parallel_env(policy, env)              # has act(observation): can be examined

An environment plays the driver's own step, so training there and being examined here are the same
game: seats are relabelled in every episode, an illegal action becomes the action at rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from freezetag import catalogue
from freezetag.adapters.agents._stepper import Layout, Stepper, stepper
from freezetag.core import Array, HasModel, Planner, Policy, Ref
from freezetag.sim import engine, keys

Observation = dict[str, Any]


def to_parallel_env(
    substrate: Any, seats: int | None = None, horizon: int | None = None
) -> SubstrateEnv:
    """`substrate` as a `pettingzoo.ParallelEnv` with its first `seats` seats (default: all),
    truncated after `horizon` steps (default: the substrate's own). `ValueError` for a number of
    seats or a horizon that the world does not allow."""
    return SubstrateEnv(substrate, seats, horizon)


class SubstrateEnv(ParallelEnv[str, Observation, Any]):  # type: ignore[misc]
    """A substrate for PettingZoo: agents "seat_0", "seat_1", ...

    observation   {"observation": Box [D] float32, see `layout`, "action_mask": 0 or 1 per value}
    action        Discrete, or MultiDiscrete for actions of several components (its mask is then
                  a tuple, one per component)
    info          {"illegal": True} for an action that was not legal; the seat rested instead

    All agents terminate together when the world ends, and are truncated at the horizon.
    `reset(seed)` starts a stream of episodes; `reset()` plays the next of it.
    """

    def __init__(self, substrate: Any, seats: int | None = None, horizon: int | None = None):
        seats = substrate.players if seats is None else seats
        engine.start()
        self.horizon = _horizon(substrate, horizon)
        self._present = np.arange(substrate.players) < _seats(substrate, seats)
        self.substrate, self._stepper = substrate, stepper(substrate)
        self.metadata = {"name": f"{_snake(substrate)}_v0", "render_modes": []}
        self.render_mode = None
        self._sizes = substrate.action_sizes
        self.possible_agents = [f"seat_{n}" for n in range(seats)]
        self.agents: list[str] = []
        self._observes = {
            agent: _observation_space(self._stepper) for agent in self.possible_agents
        }
        self._acts = {agent: _action_space(substrate) for agent in self.possible_agents}
        self._episodes, self._state, self._time = _Episodes(), None, 0
        self._idle = np.broadcast_to(
            np.asarray(substrate.rest, np.int32), (substrate.players, len(substrate.rest))
        )

    @property
    def layout(self) -> Layout:
        """What lies where in "observation"."""
        return self._stepper.layout

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._observes[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._acts[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        self._state, look = self._stepper.begin(self._episodes.next(seed), self._present)
        self.agents, self._time = list(self.possible_agents), 0
        return self._shown(look), {agent: {} for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        if not self.agents:
            raise RuntimeError("this episode is over, or none was begun: call reset() first.")
        moves = self._idle.copy()
        for n, agent in enumerate(self.possible_agents):
            if agent not in actions:
                raise ValueError(f"no action for {agent}. Every agent in `agents` must act.")
            moves[n] = _move(actions[agent], self._sizes, agent)
        self._state, look = self._stepper.step(self._state, moves)
        self._time += 1
        agents = self.agents
        rewards, illegal = look.rewards.tolist(), look.illegal.tolist()
        over = bool(look.over)
        late = self._time >= self.horizon
        shown = self._shown(look)
        if over or late:
            self.agents = []
        return (
            shown,
            dict(zip(agents, rewards, strict=False)),
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, late),
            {
                agent: {"illegal": True} if bad else {}
                for agent, bad in zip(agents, illegal, strict=False)
            },
        )

    def render(self) -> None:
        return None

    def close(self) -> None:
        self.agents, self._state = [], None

    def _shown(self, look: Any) -> dict[str, Observation]:
        flat, legal = np.asarray(look.flat), np.asarray(look.legal).view(np.int8)
        sizes = self._sizes
        return {
            agent: _observation(flat[n], legal[n], sizes) for n, agent in enumerate(self.agents)
        }


class ClassmatesEnv(gymnasium.Env[Observation, Any]):
    """One agent in seat 0 among classmates that act inside the compiled step; see
    `single_agent_env`. Observations, actions and infos as in `SubstrateEnv`."""

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own declaration)

    def __init__(
        self, substrate: Any, classmates: Sequence[Any] = (), horizon: int | None = None
    ) -> None:
        engine.start()
        self.horizon = _horizon(substrate, horizon)
        self._present = np.arange(substrate.players) < _seats(substrate, 1 + len(classmates))
        self.substrate = substrate
        players = tuple(_player(mate, substrate, n) for n, mate in enumerate(classmates, start=1))
        self._stepper = stepper(substrate, tuple(enumerate(players, start=1)))
        self.observation_space = _observation_space(self._stepper)
        self.action_space = _action_space(substrate)
        self._episodes, self._state, self._time = _Episodes(), None, 0

    @property
    def layout(self) -> Layout:
        """What lies where in "observation"."""
        return self._stepper.layout

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._state, look = self._stepper.begin(self._episodes.next(seed), self._present)
        self._time = 0
        return self._shown(look), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        if self._state is None:
            raise RuntimeError("no episode was begun: call reset() first.")
        moves = np.zeros((self.substrate.players, len(self.substrate.action_sizes)), np.int32)
        moves[0] = _move(action, self.substrate.action_sizes, "this agent")
        self._state, look = self._stepper.step(self._state, moves)
        self._time += 1
        late = self._time >= self.horizon
        info = {"illegal": True} if bool(look.illegal[0]) else {}
        return self._shown(look), float(look.rewards[0]), bool(look.over), late, info

    def _shown(self, look: Any) -> Observation:
        legal = np.asarray(look.legal).view(np.int8)
        return _observation(np.asarray(look.flat)[0], legal[0], self.substrate.action_sizes)


def single_agent_env(
    substrate: Any, classmates: Sequence[Any] = (), horizon: int | None = None
) -> ClassmatesEnv:
    """`substrate` as a `gymnasium.Env` for the agent in seat 0, beside `classmates` in the next
    seats (players in JAX: names, Refs as of `class_of(30)`, or objects with `init` and `act`): with
    none it is a class of 1. `ValueError` if the world needs more players or has fewer seats,
    or for a classmate that cannot act inside the compiled step."""
    return ClassmatesEnv(substrate, classmates, horizon)


def _player(mate: Any, substrate: Any, seat: int) -> Any:
    """A classmate as a policy in JAX. Raises `ValueError`."""
    if isinstance(mate, str):
        mate = catalogue.find("players", mate)
    if isinstance(mate, Ref):
        if mate.foreign:
            raise ValueError(
                f"{mate.name} is an agent in Python, which cannot act inside a compiled step. "
                "Take classmates that are players in JAX."
            )
        mate = catalogue.load(mate)
    if isinstance(mate, Planner) and not isinstance(mate, Policy):
        if not isinstance(substrate, HasModel):
            raise ValueError(
                f"{type(mate).__name__} plans, and {type(substrate).__name__} offers no model."
            )
        mate = mate.plan(substrate, seat)
    if not isinstance(mate, Policy):
        raise ValueError(f"{mate!r} cannot be a classmate: it has no init and act.")
    return mate


def _move(action: Any, sizes: tuple[int, ...], who: str) -> Any:
    """An action [K] of the action space; one that is in it but not legal is the driver's to
    refuse. Raises `ValueError`."""
    if type(action) is int and len(sizes) == 1 and 0 <= action < sizes[0]:
        return action
    value = np.asarray(action)
    shaped = value.shape == (len(sizes),) or (value.shape == () and len(sizes) == 1)
    if shaped and value.dtype.kind in "iub" and ((value >= 0) & (value < sizes)).all():
        return value
    parts = ", ".join(f"0 .. {size - 1}" for size in sizes)
    raise ValueError(
        f"{who}: {action!r} is not in its action space. "
        + (f"Allowed are whole numbers {parts}." if len(sizes) == 1 else f"In order: {parts}.")
    )


class ParallelAgent:
    """A policy from PettingZoo, as an agent with `act(observation)`; see `from_parallel_env`."""

    def __init__(
        self, policy: Any, encode: Callable[[Any], Any], decode: Callable[[Any], Any]
    ) -> None:
        self.policy, self.encode, self.decode = policy, encode, decode

    def reset(self, seed: int) -> None:
        if hasattr(self.policy, "reset"):
            self.policy.reset(seed)

    def act(self, observation: Mapping[str, Any]) -> Any:
        seen = self.encode(observation)
        if hasattr(self.policy, "act"):
            return self.decode(self.policy.act(seen))
        if hasattr(self.policy, "predict"):  # Stable-Baselines3: (action, hidden state)
            return self.decode(self.policy.predict(seen)[0])
        return self.decode(self.policy(seen))


def from_parallel_env(
    policy: Any,
    env: Any,
    agent: str | None = None,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
) -> ParallelAgent:
    """A policy trained in the parallel environment `env`, as an agent that can be examined.

    `policy` is called with observations of `env`, or has `act` or `predict`. The examination
    offers its own observation (the dictionary of `sim.plain.plain`), which `encode` turns into
    one of `env`, and `decode` turns the policy's action into one of the examined world; the
    examined world need not be `env`. Left out, they are known for two kinds of environment: one
    made by `to_parallel_env`, with as many seats as the world of the examination; and games in
    which one sees the other's last action (a Discrete space with one value more than there are
    actions, for "none yet"), as in PettingZoo's rps_v2. For others give both (`ValueError`).
    """
    raw = getattr(env, "unwrapped", env)
    space = env.observation_space(agent or env.possible_agents[0])
    actions = env.action_space(agent or env.possible_agents[0])
    if encode is None:
        if isinstance(raw, SubstrateEnv):
            encode = _OwnLayout(raw.layout, raw.substrate.action_sizes)
        elif (
            isinstance(space, spaces.Discrete)
            and isinstance(actions, spaces.Discrete)
            and space.n == actions.n + 1
        ):
            encode = _last_action_of_the_other(int(actions.n))
        else:
            raise ValueError(
                f"cannot tell how to make an observation {space} of this environment. "
                "Give encode(observation) and decode(action)."
            )
    return ParallelAgent(policy, encode, decode or _as_python)


class _OwnLayout:
    """The observation of `SubstrateEnv`, from a plain agent's dictionary."""

    def __init__(self, layout: Layout, sizes: tuple[int, ...]) -> None:
        self.layout, self.sizes = layout, sizes

    def __call__(self, plain: Mapping[str, Any]) -> Observation:
        legal = plain["legal"] if len(self.sizes) > 1 else [plain["legal"]]
        masks = [
            np.isin(np.arange(size), list(allowed)).astype(np.int8)
            for size, allowed in zip(self.sizes, legal, strict=True)
        ]
        return _observation(self.layout.flat(plain), np.concatenate(masks), self.sizes)


def _last_action_of_the_other(size: int) -> Callable[[Mapping[str, Any]], int]:
    def encode(plain: Mapping[str, Any]) -> int:
        if not plain["levels"]:
            return size
        level = next(iter(plain["levels"].values()))
        at: float = plain["selfish"] + (plain["prosocial"] - plain["selfish"]) * level
        return round(at)

    return encode


def _as_python(action: Any) -> Any:
    value = np.asarray(action)
    return value.item() if value.size == 1 else value.tolist()


def _observation(flat: Array, legal: Array, sizes: tuple[int, ...]) -> Observation:
    if len(sizes) == 1:
        return {"observation": flat, "action_mask": legal}
    parts = np.split(legal, np.cumsum(sizes)[:-1])
    return {"observation": flat, "action_mask": tuple(parts)}


def _observation_space(world: Stepper) -> spaces.Dict:
    masks = [spaces.Box(0, 1, (size,), np.int8) for size in world.substrate.action_sizes]
    flat = spaces.Box(-np.inf, np.inf, (world.layout.size,), np.float32)
    mask = masks[0] if len(masks) == 1 else spaces.Tuple(masks)
    return spaces.Dict({"observation": flat, "action_mask": mask})


def _action_space(substrate: Any) -> spaces.Space[Any]:
    sizes = substrate.action_sizes
    return spaces.Discrete(sizes[0]) if len(sizes) == 1 else spaces.MultiDiscrete(sizes)


class _Episodes:
    """Keys of a stream of episodes; without a seed it starts anywhere."""

    def __init__(self) -> None:
        self.base: Array = None
        self.count = 0

    def next(self, seed: int | None) -> Array:
        if seed is not None or self.base is None:
            fresh = int(np.random.default_rng().integers(2**31)) if seed is None else seed
            self.base, self.count = jax.random.wrap_key_data(keys.root(fresh)), 0
        self.count += 1
        return jax.random.fold_in(self.base, self.count)


def _seats(substrate: Any, seats: int) -> int:
    if not substrate.min_players <= seats <= substrate.players:
        raise ValueError(
            f"{_snake(substrate)} is for {substrate.min_players} to {substrate.players} players "
            f"with these settings, got {seats}."
        )
    return seats


def _horizon(substrate: Any, horizon: int | None) -> int:
    steps: int = substrate.horizon if horizon is None else horizon
    if steps < 1:
        raise ValueError(f"horizon must be at least 1, got {steps}.")
    return steps


def _snake(substrate: Any) -> str:
    name = type(substrate).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
