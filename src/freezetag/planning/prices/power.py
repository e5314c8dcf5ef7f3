"""Power without a reward (POWER), beside V^p; and V^p compared with that of other players.

The power interlock reads V^p, "the projected time-discounted forward utility", which depends on
the reward. POWER asks how well *any* reward could be served from a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from freezetag.core import Array, Model, UserError
from freezetag.planning.solvers.planner import Plan
from freezetag.planning.solvers.solve import solve_dense
from freezetag.planning.worlds.planning_world import tables


@final
@dataclass(frozen=True)
class Power:
    """POWER of each state, in [0, 1], from rewards drawn at random.

    `mean` [S]; `error` [S], the standard error of the mean over `draws` independent rewards.
    """

    model: Model
    mean: Array
    error: Array
    draws: int

    def of(self, state: Any) -> float:
        return float(self.mean[self.model.states.index(state)])


def power(model: Model, discount: float, draws: int = 1000, seed: int = 0) -> Power:
    """POWER(s) = (1 - discount)/discount E_R[V_R(s) - R(s)], R(s) independent uniform on (0, 1).

    V_R is optimal for the reward R of the state one is in. Source: Turner et al. 2021, "Optimal
    policies tend to seek power". Caveat: it depends on how finely the states are cut: copies of a
    state that differ in a label alone (what was done last, say) count as more places to go.
    """
    if draws < 2:
        raise UserError(f"draws must be 2 or more to have an error, got {draws!r}.")
    arrays = tables(model, lambda state, after: 0)
    transition = arrays.transition
    rng = np.random.default_rng(seed)
    total, squares = np.zeros(len(model.states)), np.zeros(len(model.states))
    for _ in range(draws):
        reward = rng.random(len(model.states))
        each = np.broadcast_to(reward[:, None], arrays.allowed.shape)
        found = solve_dense(transition, each, discount, allowed=arrays.allowed)
        one = (1 - discount) / discount * (found.value - reward)
        total += one
        squares += one * one
    mean = total / draws
    spread = np.maximum(squares / draws - mean * mean, 0.0) * draws / (draws - 1)
    return Power(model, mean, np.sqrt(spread / draws), draws)


def relative_power(own: Plan, others: Sequence[Plan]) -> float:
    """V^p of the first state as a share of what all players together project for themselves.

    "It measures the ability of the agent to achieve its goals in an environment where there are
    other players too" (Holtman 2021). Each plan is in its own player's planning world, and all
    rewards must be in one unit. NaN if nobody projects anything.

    Raises `UserError` for a negative value, of which no share can be taken.
    """
    values = [found.value(found.start) for found in (own, *others)]
    if min(values) < 0:
        raise UserError(f"a player's V^p is {min(values):g}. Shares need values of at least 0.")
    return values[0] / sum(values) if sum(values) > 0 else float("nan")
