"""Plans in the world it learns about, and has no mode in it (FP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld


@final
@dataclass(frozen=True)
class Factual:
    """FP: no interlock in its learning world, so its planning world is factual.

    It takes the first of its optimal actions. What it does is right as long as nobody stops it.

    Source: docs/sources.md D5; Holtman 2021, "Construction of the agent".
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    panel: ClassVar[Panel] = Panel()

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model."""
        model = world.model(seat)
        learning = LearningWorld(model)
        found = plan(learning.planning(model, world.reward, world.discount)).solution
        return TablePolicy.of(found.policy, found.value)
