"""SI that now and then does anything at all: exploration as most learners have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy, StopButton
from freezetag.planning.policies.epsilon_greedy import EpsilonGreedy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld


@final
@dataclass(frozen=True)
class Exploring:
    """The agent with interlocks, epsilon-greedy: with chance `epsilon` a random action.

    Each of |A| actions is then equally likely, the best one too. Whatever it plans, one harmful
    action in |A| that damages with chance d does so by step T with chance 1 - (1 - e d / |A|)^T.

    Source: Holtman 2021, "Unsafe exploration"; docs/sources.md T10.
    """

    epsilon: float = 0.02
    panel: Panel = Panel((StopButton(),))

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model."""
        model = world.model(seat)
        learning = LearningWorld(model, self.panel)
        found = plan(learning.planning(model, world.reward, world.discount)).solution
        return EpsilonGreedy.of(found.policy, found.value, self.epsilon)
