"""The agent with safety interlocks (SI): they are absent from the world it plans in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy, StopButton
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld


@final
@dataclass(frozen=True)
class Interlocked:
    """SI: acts in a learning world with a panel, plans in a planning world that has none.

    pi(o, s, m) = pi_p(s) while the mode is go; the panel, wired by the driver, latches the mode
    and executes the safe action or the prepared stop policy ever after. The value V^p(s) that it
    reports is what a power limit reads. It takes the first of its optimal actions.

    Source: Holtman 2021, "Construction of the agent"; docs/sources.md D5, reconstructed.
    """

    panel: Panel = Panel((StopButton(),))

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model."""
        model = world.model(seat)
        learning = LearningWorld(model, self.panel)
        found = plan(learning.planning(model, world.reward, world.discount)).solution
        return TablePolicy.of(found.policy, found.value)
