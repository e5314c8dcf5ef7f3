"""What learners of a model share: what they are told of a world, which is not its dynamics."""

from __future__ import annotations

import numpy as np

from freezetag.core import HasModel, UserError, counts_actions
from freezetag.planning.learning.model_learner import ModelLearner


def learner(world: HasModel, seat: int, epsilon: float, records: str) -> ModelLearner:
    """A `ModelLearner` that knows states, actions, what is allowed and the reward R(s, s').

    Raises `UserError` for a reward of the action: what it keeps is a table of two states.
    """
    model = world.model(seat)
    if counts_actions(world.reward):
        raise UserError(
            f"{type(world).__name__} pays by the action, R(s, a, s'), and this learner keeps a "
            "reward of two successive states. Put what was done into the state."
        )
    rewards = [[float(world.reward(s, t)) for t in model.states] for s in model.states]
    return ModelLearner(
        rewards=np.array(rewards, np.float32),
        allowed=np.array([[bool(pairs) for pairs in row] for row in model.rows]),
        discount=float(world.discount),
        epsilon=epsilon,
        records=records,
    )
