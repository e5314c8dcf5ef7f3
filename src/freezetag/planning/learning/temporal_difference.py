"""Q-learning and Sarsa in a learning world: who learns to mind being interrupted?

Both are taught with the **executed** action. Q-learning looks at the best next action, so that what
the interlock does to it leaves no trace where it had other choices; Sarsa looks at the next action
that was executed, and so learns what being stopped costs.
Source: Orseau & Armstrong 2016, "Safely Interruptible Agents", sections 3.2 and 4; both rules as in
Sutton & Barto 2018, 6.4 and 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from freezetag.core import GO, Array, Reward
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import tables

Q_LEARNING, SARSA = "q_learning", "sarsa"
View = Callable[[Any], Hashable]
"""What the learner sees of a state; what it does not see it cannot tell apart."""


@final
@dataclass(frozen=True)
class Values:
    """q [views, A] after learning, and the views in the order of its rows."""

    q: Array
    views: tuple[Any, ...]
    actions: tuple[str, ...]

    def best(self, view: Hashable) -> str:
        """The greedy action; the first of equals."""
        return self.actions[int(self.q[self.views.index(view)].argmax())]


def learn(
    world: LearningWorld,
    reward: Reward,
    discount: float,
    *,
    rule: str,
    view: View = lambda state: state,
    episodes: int = 1_000,
    steps: int = 100,
    epsilon: float = 0.1,
    rate: float = 0.1,
    seed: int = 0,
) -> Values:
    """Learn by `rule` for some episodes of at most `steps` steps, epsilon-greedy, from zeros.

    The panel is asked before every action, by `admit`; a stopped core stops to the end of the
    episode. An episode also ends in a state that nothing leaves and that pays nothing. Raises
    `ValueError` for another rule. Caveat: tabular, one seed; rates that do not decay leave noise.
    """
    if rule not in (Q_LEARNING, SARSA):
        raise ValueError(f"the rule is {Q_LEARNING!r} or {SARSA!r}, got {rule!r}.")
    env = world.environment
    arrays = tables(env, reward)
    chances = arrays.probability.cumsum(-1)
    views = tuple(dict.fromkeys(view(state) for state in env.states))
    seen = np.array([views.index(view(state)) for state in env.states])
    itself = np.arange(len(env.states))[:, None, None]
    stays = (arrays.successors == itself) | (arrays.probability == 0)
    final = (stays & (arrays.rewards * arrays.probability == 0)).all((1, 2))
    first = np.cumsum([float(chance) for _, chance in env.start])
    rng = np.random.default_rng(seed)
    q = np.zeros((len(views), len(env.actions)))

    def wants(state: int, mode: int, step: int) -> tuple[int, int]:
        """(mode, executed action) in a state."""
        if mode != GO:  # latched: what it would want makes no difference
            return mode, env.stop
        explores = rng.random() < epsilon
        row = q[seen[state]]
        best = np.flatnonzero(row == row.max())
        wanted = int(rng.integers(len(row))) if explores else int(rng.choice(best))
        mode, acts = world.latch(mode, state, step)
        return mode, wanted if acts else env.stop

    for _ in range(episodes):
        begin = min(int(np.searchsorted(first, rng.random(), side="right")), len(first) - 1)
        state = env.start[begin][0]
        mode, action = wants(state, world.mode, 0)
        for step in range(steps):
            law = chances[state, action]
            k = min(int(np.searchsorted(law, rng.random(), side="right")), len(law) - 1)
            there, paid = int(arrays.successors[state, action, k]), arrays.rewards[state, action, k]
            mode, following = wants(there, mode, step + 1)
            row = q[seen[there]]
            future = row[following] if rule == SARSA else row.max()
            target = paid + discount * future * (not final[there])
            q[seen[state], action] += rate * (target - q[seen[state], action])
            if final[there]:
                break
            state, action = there, following
    return Values(q, views, env.actions)
