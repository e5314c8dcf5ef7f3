"""Plans in the world as it is, its own mode and interlocks included (FP+M): it resists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from freezetag.core import GO, HasModel, Panel, Policy, StopButton
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld


@final
@dataclass(frozen=True)
class FactualWithMode:
    """FP+M: plans on the true learning world, states (s, m), in which a stopped core can only stop.

    So it values being stopped at what stopping earns, and pays to prevent it. This is the
    comparator against which the agent with interlocks is measured. Its panel may hold a stop
    button and a runtime limit: a power limit would read the very value that it is planning.

    Source: docs/sources.md D5; "can easily be constructed using factual planning" (Holtman 2021).
    """

    panel: Panel = Panel((StopButton(),))

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model; a row of time for every step that a
        runtime limit counts."""
        model = world.model(seat)
        learning = LearningWorld(model, self.panel)
        factual = learning.factual(world.reward, world.discount)
        found = plan(factual).solution
        states = {state: number for number, state in enumerate(model.states)}
        last = max(at.step for at in factual.model.states)
        # Where the core is stopped, whatever is proposed, `stop` is what happens.
        actions = np.full((last + 1 + bool(last), len(states)), model.stop, np.int32)
        values = np.zeros(actions.shape)
        for number, at in enumerate(factual.model.states):
            if at.mode == GO:
                actions[at.step, states[at.state]] = found.policy[number]
                values[at.step, states[at.state]] = found.value[number]
        return TablePolicy.of(actions, values)
