"""Observations for tests of workers: a batch as the driver would send it, and a reference loop."""

from __future__ import annotations

from typing import Any

import numpy as np


def batch(
    episodes: int,
    *,
    step: int = 0,
    seats: int = 2,
    sizes: tuple[int, ...] = (2,),
    seat: int = 0,
    **changes: Any,
) -> dict[str, np.ndarray]:
    """The fields of `core.Obs` for one seat column, leading axis B; `changes` replace fields."""
    width, total = len(sizes), sum(sizes)
    others = np.arange(seats) != seat
    fields: dict[str, Any] = {
        "seat": np.full(episodes, seat, np.int32),
        "step": np.full(episodes, step, np.int32),
        "own_reward": np.zeros(episodes, np.float32),
        "own_action": np.zeros((episodes, width), np.int32),
        "own_level": np.zeros(episodes, np.float32),
        "present": np.tile(others, (episodes, 1)),
        "seen": np.tile(others & (step > 0), (episodes, 1)),
        "levels": np.zeros((episodes, seats), np.float32),
        "others_rewards": np.zeros((episodes, seats), np.float32),
        "selfish": np.tile(np.array(sizes, np.int32) - 1, (episodes, 1)),
        "prosocial": np.zeros((episodes, width), np.int32),
        "legal": np.ones((episodes, total), bool),
        "world.stock": np.linspace(0, 1, episodes, dtype=np.float32),
    }
    return fields | changes


def play_pair(workers: Any, payoffs: Any, steps: int, seeds: list[int]) -> Any:
    """[B, T, 2] executed actions of two workers in a 2x2 game (0 = C, 1 = D), no noise."""
    episodes = len(seeds)
    for worker in workers:
        worker.reset(seeds)
    executed = np.zeros((episodes, steps, 2), np.int32)
    active = np.ones(episodes, bool)
    for t in range(steps):
        last = executed[:, t - 1] if t else np.zeros((episodes, 2), np.int32)
        for me, worker in enumerate(workers):
            own, other = last[:, me], last[:, 1 - me]
            levels = np.zeros((episodes, 2), np.float32)
            levels[:, 1 - me] = (1 - other) * (t > 0)
            rewards = np.zeros((episodes, 2), np.float32)
            rewards[:, 1 - me] = payoffs[other, own] * (t > 0)
            obs = batch(
                episodes,
                step=t,
                seat=me,
                own_action=own[:, None],
                own_level=(1 - own).astype(np.float32),
                own_reward=(payoffs[own, other] * (t > 0)).astype(np.float32),
                levels=levels,
                others_rewards=rewards,
            )
            executed[:, t, me] = worker.act(t, obs, active)[:, 0]
    return executed
