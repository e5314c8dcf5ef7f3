"""The inner loops of `sparse`, in plain Python for numba to compile; `_sweep` says how.

Successors come as uint32: an unsigned index needs no test for "counted from the end". Nothing
here allows reassociation, so a chunk gives the same floats on one thread and on two.
"""

from __future__ import annotations

import math

from freezetag.core.arrays import Array


def scan(successors: Array, probability: Array) -> tuple[float, float]:
    """The least and the largest row sum; (-inf, inf) if a probability is negative or NaN or a
    successor is not a state."""
    low, high = math.inf, -math.inf
    states, actions, width = probability.shape
    for s in range(states):
        for a in range(actions):
            total, fine = 0.0, True
            for k in range(width):
                fine &= probability[s, a, k] >= 0.0 and 0 <= successors[s, a, k] < states
                total += probability[s, a, k]
            if not fine:
                return -math.inf, math.inf
            low, high = min(low, total), max(high, total)
    return low, high


def improve(
    successors: Array,
    probability: Array,
    reward: Array,
    discount: float,
    value: Array,
    best: Array,
    policy: Array,
    own_successors: Array,
    own_probability: Array,
    own_reward: Array,
    lead: Array,
    start: int,
    stop: int,
) -> tuple[float, float, int]:
    """One Bellman sweep of states start..stop: `best` = TV and its first maximiser in `policy`.

    Where the policy changes, its row is copied to `own_` [S, K], [S, K] and [S], next to each
    other for `follow`. `lead` [S] becomes the best action's lead over the second best; a state
    where it comes in as infinite is settled: only its own action is looked at. Returns the min
    and max of TV - V and how many states changed their action.
    """
    low, high, changed = math.inf, -math.inf, 0
    actions, width = probability.shape[1], probability.shape[2]
    for s in range(start, stop):
        if lead[s] == math.inf:
            expected = 0.0
            for k in range(width):
                expected += own_probability[s, k] * value[own_successors[s, k]]
            most = own_reward[s] + discount * expected
        else:
            most, second, at = -math.inf, -math.inf, 0
            for a in range(actions):
                expected = 0.0
                for k in range(width):
                    expected += probability[s, a, k] * value[successors[s, a, k]]
                q = reward[s, a] + discount * expected
                if q > most:
                    most, second, at = q, most, a
                else:
                    second = max(second, q)
            # A lone action has no second: its lead is infinite, and so it is settled.
            lead[s] = most - second
            if at != policy[s]:
                policy[s] = at
                changed += 1
                own_reward[s] = reward[s, at]
                for k in range(width):
                    own_probability[s, k] = probability[s, at, k]
                    own_successors[s, k] = successors[s, at, k]
        best[s] = most
        gap = most - value[s]
        low, high = min(low, gap), max(high, gap)
    return low, high, changed


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
