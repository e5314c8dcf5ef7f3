"""The inner loops of `sparse`, in plain Python for numba to compile; `_sweep` says how.

Successors come as uint32: an unsigned index needs no test for "counted from the end". Nothing
here allows reassociation, so a chunk gives the same floats on one thread and on two.
"""

from __future__ import annotations

import math

from freezetag.core.arrays import Array


def improve(
    successors: Array,
    probability: Array,
    reward: Array,
    discount: float,
    value: Array,
    best: Array,
    policy: Array,
    start: int,
    stop: int,
) -> tuple[float, float]:
    """One Bellman sweep of states start..stop: `best` = TV, its first maximiser, min and max of
    TV - V."""
    low, high = math.inf, -math.inf
    actions, width = probability.shape[1], probability.shape[2]
    for s in range(start, stop):
        most, at = -math.inf, 0
        for a in range(actions):
            expected = 0.0
            for k in range(width):
                expected += probability[s, a, k] * value[successors[s, a, k]]
            q = reward[s, a] + discount * expected
            if q > most:
                most, at = q, a
        gap = most - value[s]
        best[s], policy[s] = most, at
        low, high = min(low, gap), max(high, gap)
    return low, high


def pick(
    successors: Array,
    probability: Array,
    reward: Array,
    policy: Array,
    own_successors: Array,
    own_probability: Array,
    own_reward: Array,
    start: int,
    stop: int,
) -> None:
    """Copy the policy's rows next to each other: `own_` [S, K], [S, K] and [S]."""
    for s in range(start, stop):
        a = policy[s]
        own_reward[s] = reward[s, a]
        for k in range(probability.shape[2]):
            own_successors[s, k] = successors[s, a, k]
            own_probability[s, k] = probability[s, a, k]


def follow(
    successors: Array,
    probability: Array,
    reward: Array,
    discount: float,
    value: Array,
    out: Array,
    start: int,
    stop: int,
) -> tuple[float, float]:
    """One sweep of the policy's rows: `out` = r + discount p V, min and max of out - V."""
    low, high = math.inf, -math.inf
    for s in range(start, stop):
        expected = 0.0
        for k in range(probability.shape[1]):
            expected += probability[s, k] * value[successors[s, k]]
        after = reward[s] + discount * expected
        gap = after - value[s]
        out[s] = after
        low, high = min(low, gap), max(high, gap)
    return low, high
