"""SI that learns its model online from scratch, from what was executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy, StopButton
from freezetag.planning.learning.model_learner import EXECUTED, ModelLearner
from freezetag.players.planners._learning import learner


@final
@dataclass(frozen=True)
class LearningInterlocked:
    """The agent with interlocks, learning: p has L learned from the record o, S_0 = s.

    Its record holds **executed** actions, so that being stopped is not mistaken for a property
    of the pressed button (T9). It explores with chance `epsilon`: that can damage things (T10).

    Source: Holtman 2021, "Construction of the agent"; docs/sources.md D5 and T9.
    """

    epsilon: float = 0.1
    panel: Panel = Panel((StopButton(),))

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The learner in a world: it is told states, actions and reward, not the dynamics."""
        found: ModelLearner = learner(world, seat, self.epsilon, EXECUTED)
        return found
