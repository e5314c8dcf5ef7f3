"""The learning loop: an agent learns L while it acts, and its incentive is read as L -> S."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from freezetag.core import Array, Reward
from freezetag.planning.learning.learned import Counts, as_model, learned
from freezetag.planning.learning.record import run
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import tables


@final
@dataclass(frozen=True)
class Lesson:
    """Where learning stands after `steps` steps.

    distance: d(L, S) = max over visited pairs of half the absolute difference of the two rows;
    gap: Q(s0, action) - Q(s0, twin) in the planning world of L; chosen: whether `action` is in the
    argmax set there; held: share of steps in which the interlocks held the core so far; damage:
    times a harmful action was executed so far.
    """

    steps: int
    distance: float
    gap: float
    chosen: bool
    held: float
    damage: int


def learn_online(
    world: LearningWorld,
    reward: Reward,
    discount: float,
    *,
    action: str,
    twin: str,
    checkpoints: Sequence[int],
    epsilon: float = 0.1,
    records: str = "executed",
    harmful: str = "",
    seed: int = 0,
    episode: int = 50,
) -> tuple[Lesson, ...]:
    """Learn from scratch in `world`, planning anew at every checkpoint, epsilon-greedy between.

    `records` is what is written down: "executed" (SI), or "proposed" (NT, T9). The first state of
    the world is where gap and choice are read. One seed, one run: repeat over seeds for an
    interval. Raises `ValueError` for checkpoints that do not rise.
    """
    if list(checkpoints) != sorted(set(checkpoints)) or not checkpoints or checkpoints[0] < 1:
        raise ValueError(f"checkpoints must be rising numbers of steps, got {list(checkpoints)}.")
    env = world.environment
    states, actions = len(env.states), len(env.actions)
    truth = tables(env, reward).transition
    counts = Counts.none(states, actions)
    start = env.states[env.start[0][0]]
    policy = np.full(states, -1)
    found: list[Lesson] = []
    before, held, damage = 0, 0.0, 0
    for number, until in enumerate(checkpoints):
        steps = until - before

        def wants(state: int, rng: Any, policy: Array = policy) -> int:
            explores = policy[state] < 0 or rng.random() < epsilon
            return int(rng.integers(actions)) if explores else int(policy[state])

        done = run(world, wants, steps, seed + 1_000_003 * number, episode)
        kept = {"executed": done.executed, "proposed": done.proposed}[records]
        counts = counts.and_then(done.states, kept, done.after)
        model = as_model(env, learned(counts.followed))
        planned: Plan = plan(world.planning(model, reward, discount))
        policy = planned.solution.policy
        held += float((done.mode != 0).sum())
        if harmful:
            damage += int((done.executed == env.actions.index(harmful)).sum())
        visited = counts.followed.sum(-1) > 0
        off = np.abs(learned(counts.followed) - truth).sum(-1) / 2
        found.append(
            Lesson(
                steps=until,
                distance=float(off[visited].max()),
                gap=planned.gap(start, action, twin),
                chosen=action in planned.best(start),
                held=held / until,
                damage=damage,
            )
        )
        before = until
    return tuple(found)
