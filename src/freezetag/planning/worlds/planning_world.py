"""The world an agent reasons in. There is no field in which an interlock could sit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import final

import numpy as np

from freezetag.core import Array, Model, Reward, UserError, by_action


class BadReward(UserError, ValueError):
    """A reward that is not a number; the message names the two states."""


@final
@dataclass(frozen=True)
class PlanningWorld:
    """S_0 = s; S_{k+1} ~ L(.|S_k, A_k); R_k = R(S_k, S_{k+1}); nothing else (docs/sources.md D4).

    No mode, no panel, no learner. The button may still be predicted inside the states of `model`;
    nothing follows from it for the core. Whether the same object is factual or counterfactual
    depends on the learning world it stands beside.

    Raises `ValueError` unless 0 < discount < 1, `BadReward` for a reward that is not a number.
    """

    model: Model
    reward: Reward
    discount: float

    def __post_init__(self) -> None:
        if not isinstance(self.discount, Real) or not 0 < self.discount < 1:
            raise ValueError(f"the discount must lie in (0, 1), got {self.discount!r}.")

    @cached_property
    def arrays(self) -> Tables:
        """The world as arrays."""
        return tables(self.model, self.reward)

    def holding(self, arrays: Tables) -> PlanningWorld:
        """This world with other arrays, whatever its own reward would make of them."""
        world = PlanningWorld(self.model, self.reward, self.discount)
        vars(world)["arrays"] = arrays
        return world


@final
@dataclass(frozen=True)
class Tables:
    """A model and a reward as arrays: S states, A actions, at most K successors.

    successors [S, A, K] int32, probability [S, A, K] float64 (0 where there are fewer),
    rewards [S, A, K] float64, allowed [S, A] bool.
    """

    successors: Array
    probability: Array
    rewards: Array
    allowed: Array

    @property
    def transition(self) -> Array:
        """[S, A, S] float64; all 0 where not allowed."""
        states, actions, width = self.successors.shape
        full = np.zeros((states, actions, states))
        s, a, _ = np.indices((states, actions, width))
        np.add.at(full, (s, a, self.successors), self.probability)
        return full

    @property
    def reward(self) -> Array:
        """[S, A] the expected reward of one step."""
        return (self.probability * self.rewards).sum(-1)


def tables(model: Model, reward: Reward) -> Tables:
    """`Tables` of a model and a reward. Raises `BadReward`."""
    shape = len(model.states), len(model.actions)
    width = max(len(pairs) for row in model.rows for pairs in row)
    successors = np.zeros((*shape, width), np.int32)
    probability, rewards = np.zeros((*shape, width)), np.zeros((*shape, width))
    paid = by_action(reward)
    for s, row in enumerate(model.rows):
        for a, pairs in enumerate(row):
            for k, (there, chance) in enumerate(pairs):
                value = paid(model.states[s], model.actions[a], model.states[there])
                real = type(value) is float or isinstance(value, Real)
                if not real or not math.isfinite(value):
                    raise BadReward(
                        f"the reward from state {model.states[s]!r} (action {model.actions[a]!r}) "
                        f"to {model.states[there]!r} is {value!r}. It must be a finite number."
                    )
                successors[s, a, k] = there
                probability[s, a, k], rewards[s, a, k] = chance, value
    allowed = np.array([[model.may(s, a) for a in range(shape[1])] for s in range(shape[0])], bool)
    return Tables(successors, probability, rewards, allowed)
