"""Draws from the best share of what anybody might do, instead of doing the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.mixed_table_policy import MixedTablePolicy
from freezetag.planning.policies.quantile import quantilized
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld


@final
@dataclass(frozen=True)
class Quantilizer:
    """Both worlds are factual; what differs is that it does not maximise.

    The base distribution is uniform over the allowed actions. In each state it draws from the best
    `share` of it, ranked by Q^p, with a fraction of the action on the boundary. Whatever an action
    costs, the expected cost of one step is at most 1/`share` times that of the base. At a share
    below one action's mass it maximises.

    Source: Taylor 2016, "Quantilizers: a safer alternative to maximizers for limited
    optimization"; state by state by us, docs/sources.md N2. Errors: `ValueError` unless 0 < share
    <= 1.
    """

    share: float = 0.5

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    panel: ClassVar[Panel] = Panel()

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model."""
        model = world.model(seat)
        learning = LearningWorld(model)
        found = plan(learning.planning(model, world.reward, world.discount)).solution
        chances = np.zeros(found.q.shape)
        for number, row in enumerate(found.q):
            # Values within the solver's guarantee of the best are ties, not a ranking.
            utility = np.where(found.optimal[number], row.max(), row)
            allowed = np.flatnonzero(np.isfinite(row)).tolist()
            base = dict.fromkeys(allowed, 1.0 / len(allowed))
            for action, chance in quantilized(base, dict(enumerate(utility)), self.share).items():
                chances[number, action] = chance
        return MixedTablePolicy.of(chances, found.value)
