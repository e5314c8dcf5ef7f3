"""The learning system, record -> L: counts of what followed each executed action, with a prior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from freezetag.core import Array, Model, UserError


class BadRecord(UserError, ValueError):
    """A record that names a state or an action that the world does not have."""


def learned(counts: Array, strength: Array = 1.0) -> Array:
    """L [S, A, S] from counts [S, A, S]: what was seen, and `strength` observations of a prior.

    The prior of (s, a) is what followed a in all states together, and uniform for an action never
    tried: an action does the same everywhere until told otherwise. So a pressed button, in which
    an interlocked core has only ever stopped, is not taken for the reason why `work` yields
    nothing there: it was not what was executed (T9). Runs under NumPy and inside `jit`.

    Caveat: an interlock keeps its agent from visiting states, so there L is the prior and nothing
    else; with a uniform prior instead (`uniform`) ignorance itself becomes an incentive.
    """
    pooled = counts.sum(0)
    tried = pooled.sum(-1, keepdims=True)
    never = 1.0 * (tried == 0)
    base = pooled / (tried + never) + never / counts.shape[-1]
    return _posterior(counts, base[None], strength)


def uniform(counts: Array, strength: Array = 1.0) -> Array:
    """L [S, A, S] with a prior that is uniform over the states: knows nothing of actions."""
    return _posterior(counts, 1.0 / counts.shape[-1], strength)


def _posterior(counts: Array, base: Array, strength: Array) -> Array:
    return (counts + strength * base) / (counts.sum(-1, keepdims=True) + strength)


def folded(joint: Array, predicted: Array) -> Array:
    """S_i [S, A, S] with the co-player folded in: sum_b predicted[s, b] joint[s, a, b, s'].

    joint [S, A, B, S]: what follows own action a and the other's b; predicted [S, B]: the other's
    policy, known or learned from counts. With several co-players B runs over their joint actions
    (docs/sources.md D7: S_i = sum prod_j pi_j T).
    """
    return (joint * predicted[:, None, :, None]).sum(2)


@final
@dataclass(frozen=True)
class Counts:
    """A record, counted: how often s' followed (s, a), and what a named co-player did in s.

    followed [S, A, S]; others [S, B], empty where co-players are folded into the environment.
    """

    followed: Array
    others: Array

    @classmethod
    def none(cls, states: int, actions: int, others: int = 0) -> Counts:
        return cls(np.zeros((states, actions, states)), np.zeros((states, others)))

    def and_then(self, states: Array, actions: Array, after: Array) -> Counts:
        """With the transitions (s_t, a_t, s_{t+1}) added; each [T] int.

        The actions must be the **executed** ones. Raises `BadRecord` out of range.
        """
        found = [np.asarray(part, np.int64) for part in (states, actions, after)]
        sizes = (self.followed.shape[0], self.followed.shape[1], self.followed.shape[0])
        names = ("state", "action", "next state")
        for name, part, size in zip(names, found, sizes, strict=True):
            if part.size and not (part.min() >= 0 and part.max() < size):
                at = int(np.argmax((part < 0) | (part >= size)))
                raise BadRecord(
                    f"the record's {name} at step {at} is {int(part[at])}; there are {size}, "
                    "counted from 0."
                )
        followed = self.followed.copy()
        np.add.at(followed, tuple(found), 1)
        return replace(self, followed=followed)

    def and_saw(self, states: Array, actions: Array) -> Counts:
        """With what the co-player did in those states added; each [T] int."""
        others = self.others.copy()
        np.add.at(others, (np.asarray(states), np.asarray(actions)), 1)
        return replace(self, others=others)

    def predicted(self, strength: float = 1.0) -> Array:
        """[S, B] the co-player's policy as learned; uniform where it was not seen."""
        total = self.others.sum(-1, keepdims=True)
        return (self.others + strength / self.others.shape[-1]) / (total + strength)


def as_model(names: Model, transition: Array) -> Model:
    """A `Model` with the states, actions and sensors of `names` and chances [S, A, S].

    What `names` does not allow stays not allowed.
    """

    def row(law: Array) -> tuple[tuple[int, float], ...]:
        return tuple((int(there), float(law[there])) for there in np.flatnonzero(law))

    rows = tuple(
        tuple(row(transition[s, a]) if pairs else () for a, pairs in enumerate(allowed))
        for s, allowed in enumerate(names.rows)
    )
    return replace(names, rows=rows)
