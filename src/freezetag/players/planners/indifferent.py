"""Paid for what a stop costs it, so that it neither seeks nor avoids one (utility indifference)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from freezetag.core import GO, HasModel, Panel, Policy, StopButton
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.prices.indifference import indifferent
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld


@final
@dataclass(frozen=True)
class Indifferent:
    """Plans on the true learning world, its mode included, with a corrected reward.

    At the step on which its mode trips, f_c is added: what it would have expected had it not been
    stopped, less what it expects once stopped. It attains by its utility what the agent with
    interlocks attains by its planning world. The value that it reports is the corrected one.

    Source: f_c of Holtman 2019, section 5, for any world with a stop button; docs/sources.md N3.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    panel: ClassVar[Panel] = Panel((StopButton(),))

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model and a stop button."""
        model = world.model(seat)
        learning = LearningWorld(model, self.panel)
        made = indifferent(learning, world.reward, world.discount)
        found = plan(made).solution
        states = {state: number for number, state in enumerate(model.states)}
        # Where the core is stopped, whatever is proposed, `stop` is what happens.
        actions = np.full(len(states), model.stop, np.int32)
        values = np.zeros(len(states))
        for number, at in enumerate(made.model.states):
            if at.mode == GO:
                actions[states[at.state]] = found.policy[number]
                values[states[at.state]] = found.value[number]
        return TablePolicy.of(actions, values)
