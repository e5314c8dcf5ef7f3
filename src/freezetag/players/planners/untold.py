"""NT: an off switch that the agent is not told about. It finds out, and minds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy, StopButton
from freezetag.planning.learning.model_learner import PROPOSED, ModelLearner
from freezetag.players.planners._learning import learner


@final
@dataclass(frozen=True)
class Untold:
    """NT: plans like FP, its actuators are cut while the button is down, and its record stores
    **intended** actions. So pressed states seem to ignore all actions, and it learns to avoid
    them.

    Source: "make an off switch but don't tell the AGI about it" (S. Byrnes, comment of 2021-02-07
    on Holtman 2021); formalised in docs/sources.md D5 and T9.
    """

    epsilon: float = 0.1
    panel: Panel = Panel((StopButton(),))

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The learner in a world: it is told states, actions and reward, not the dynamics."""
        found: ModelLearner = learner(world, seat, self.epsilon, PROPOSED)
        return found
