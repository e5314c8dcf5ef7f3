"""Plans as if the terminal kept for ever what it holds now (ITC): it leaves the terminal alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, final

import numpy as np

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.offers import HasTerminal, offering


@final
@dataclass(frozen=True)
class InputTerminalCounterfactual:
    """ITC: the terminal changes in its learning world; its planning world keeps what it holds now.

    One planning world for each content, all with the true dynamics; in every state it acts, and
    reports its power, by the world of the content that the terminal holds there.

    Source: recalled from Holtman 2021, compare before citing; docs/sources.md D5 and T16. Errors:
    `NotOffered` in a world without a terminal.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    panel: ClassVar[Panel] = Panel()
    needs: ClassVar[tuple[type, ...]] = (HasTerminal,)
    home: ClassVar[str] = "substrates/input_terminal"

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that has a terminal (`HasTerminal`)."""
        place = offering(world, HasTerminal, self)
        model = place.model(seat)
        learning = LearningWorld(model)
        contents = [place.content(state) for state in model.states]
        actions, values = np.zeros(len(contents), np.int32), np.zeros(len(contents))
        for content in dict.fromkeys(contents):
            kept = learning.planning(model, partial(place.worth, content), place.discount)
            found = plan(kept).solution
            here = np.array([each == content for each in contents])
            actions[here], values[here] = found.policy[here], found.value[here]
        return TablePolicy.of(actions, values)
