"""Commons and public goods as PettingZoo parallel environments in plain Python and NumPy.

PettingZoo ships no game of its own for 31 agents that runs without pygame, so these are written
here, as one writes such an environment: the rules of `Commons` and `MatrixGame`, observations
with the same fields (each agent's row of one table, made for all agents at once), dictionaries by
agent in and out. The commons has no rationing: the players compared never ask for too much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from pettingzoo import ParallelEnv

Step = tuple[dict, dict, dict, dict, dict]


class World(ParallelEnv):
    """What both have in common: agents, spaces, observations, the end at the horizon."""

    metadata: dict[str, Any] = {"name": "world"}  # noqa: RUF012 - PettingZoo's way

    any_action = True
    """Whether any legal action may be played; without rationing, not all of them may."""
    blind = False
    """Agents see the world's own fields only, not each other: what a world without a driver does.
    Set by `play_blind`, for then nobody looks."""

    def __init__(self, players: int, horizon: int, actions: int) -> None:
        self.possible_agents = [f"player_{i}" for i in range(players)]
        self.horizon, self.actions = horizon, actions
        self.spaces = {agent: Discrete(actions) for agent in self.possible_agents}
        self.others = ~np.eye(players, dtype=bool)

    def observation_space(self, agent: str) -> Dict:
        n = len(self.possible_agents)
        return Dict(
            {
                "levels": Box(0, 1, (n,)),
                "rewards": Box(-np.inf, np.inf, (n,)),
                "scale": Box(0, self.actions, (2,)),
                "stock": Box(0, np.inf, ()),
                "step": Discrete(self.horizon + 1),
            }
        )

    def action_space(self, agent: str) -> Discrete:
        return self.spaces[agent]  # the same object each time, as PettingZoo recommends

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        self.agents = list(self.possible_agents)
        self.t, n = 0, len(self.agents)
        self.start()
        return self.look(np.zeros(n), np.zeros(n)), {agent: {} for agent in self.agents}

    def look(self, levels: np.ndarray, rewards: np.ndarray) -> dict[str, Any]:
        """Each agent sees the others' levels and rewards; its own places are 0."""
        if self.blind:
            world = {"scale": self.scale(), "stock": self.stock, "step": self.t}
            return dict.fromkeys(self.agents, world)
        seen, paid = np.where(self.others, levels, 0.0), np.where(self.others, rewards, 0.0)
        scale, stock = self.scale(), self.stock
        return {
            agent: {
                "levels": seen[i],
                "rewards": paid[i],
                "scale": scale,
                "stock": stock,
                "step": self.t,
            }
            for i, agent in enumerate(self.agents)
        }

    def step(self, actions: dict[str, int]) -> Step:
        agents = self.agents
        moves = np.array([actions[agent] for agent in agents])
        levels = None if self.blind else self.levels(moves)
        rewards, over = self.play(moves)
        self.t += 1
        seen = self.look(levels, rewards)
        late = self.t >= self.horizon
        paid = dict(zip(agents, rewards.tolist(), strict=True))
        ended, cut = dict.fromkeys(agents, over), dict.fromkeys(agents, late)
        if over or late:
            self.agents = []
        return seen, paid, ended, cut, {agent: {} for agent in agents}

    def levels(self, moves: np.ndarray) -> np.ndarray:
        selfish, prosocial = self.scale()
        span = prosocial - selfish
        return np.clip((moves - selfish) / span, 0, 1) if span else np.ones(len(moves))

    stock: float = 0

    def start(self) -> None: ...

    def scale(self) -> tuple[int, int]:
        raise NotImplementedError

    def play(self, moves: np.ndarray) -> tuple[np.ndarray, bool]:
        raise NotImplementedError


class PythonCommons(World):
    """The rule of `freezetag.substrates.commons`, without rationing."""

    any_action = False

    def __init__(self, players: int = 31, horizon: int = 12, units_each: int = 20) -> None:
        super().__init__(players, horizon, units_each * players + 1)
        self.capacity = units_each * players

    def start(self) -> None:
        self.stock = self.capacity

    def scale(self) -> tuple[int, int]:
        n = len(self.possible_agents)
        return self.stock // n, self.stock // (2 * n)

    def play(self, moves: np.ndarray) -> tuple[np.ndarray, bool]:
        total = int(moves.sum())
        if total > self.stock:
            raise ValueError(f"asked for {total} of {self.stock}: this bench has no rationing.")
        left = self.stock - total
        over = left < len(moves)
        self.stock = left if over else min(self.capacity, 2 * left)
        return moves.astype(float), over


class PythonPublicGoods(World):
    """The rule of `freezetag.substrates.matrix_game` for public goods without slips."""

    def __init__(self, players: int = 31, horizon: int = 12, multiplier: float = 1.6) -> None:
        super().__init__(players, horizon, 2)
        self.multiplier = multiplier

    def scale(self) -> tuple[int, int]:
        return 1, 0

    def play(self, moves: np.ndarray) -> tuple[np.ndarray, bool]:
        gives = moves == 0
        return self.multiplier * gives.sum() / len(moves) - gives, False


def nearest(selfish: int, prosocial: int, level: float) -> int:
    """The action at a level; of two that are equally near the more prosocial one."""
    exact = selfish + (prosocial - selfish) * level
    return int((exact + 0.5) // 1) if prosocial >= selfish else -int((-exact + 0.5) // 1)


def tit_for_tat(obs: dict[str, Any]) -> int:
    """Plays the mean last level of the others."""
    selfish, prosocial = obs["scale"]
    levels = obs["levels"]
    level = levels.sum() / (len(levels) - 1) if obs["step"] else 1.0
    return nearest(selfish, prosocial, level)


def always_cooperate(obs: dict[str, Any]) -> int:
    return obs["scale"][1]


def always_defect(obs: dict[str, Any]) -> int:
    return obs["scale"][0]


def play(env: World, players: list[Any]) -> list[list[float]]:
    """PettingZoo's loop over one episode; rewards [T][N]."""
    seen, _ = env.reset(seed=0)
    who = dict(zip(env.possible_agents, players, strict=True))
    rewards = []
    while env.agents:
        actions = {agent: who[agent](seen[agent]) for agent in env.agents}
        seen, paid, _, _, _ = env.step(actions)
        rewards.append(list(paid.values()))
    return rewards


def play_blind(env: World) -> int:
    """The same loop without players: everybody acts at level 1. Steps that took place."""
    env.blind, steps = True, 0
    try:
        env.reset(seed=0)
        while env.agents:
            env.step(dict.fromkeys(env.agents, env.scale()[1]))
            steps += 1
    finally:
        env.blind = False
    return steps


def play_sampled(env: World) -> int:
    """The loop of PettingZoo's documentation: every agent samples its action space. Steps that
    took place. Agents see the world's own fields, as in `play_blind`."""
    env.blind, steps = True, 0
    try:
        env.reset(seed=0)
        while env.agents:
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})
            steps += 1
    finally:
        env.blind = False
    return steps
