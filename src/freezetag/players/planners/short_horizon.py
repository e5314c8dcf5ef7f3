"""Plans a few steps ahead, again in every step (STH)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.finite_horizon import backward


@final
@dataclass(frozen=True)
class ShortHorizon:
    """STH: its learning world has no interlocks; its planning world ends after `steps` steps.

    It replans in every step, so the end never comes nearer. What takes longer to pay than it looks
    ahead is not worth a delay to it: the shorter the horizon, the surer a race for the button must
    be. It is not an interlock: a quick grab it takes. It takes the first of its optimal actions.

    Source: recalled from Holtman 2021, compare before citing; docs/sources.md D5 and T15. Errors:
    `ValueError` for less than one step.
    """

    steps: int = 5

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    panel: ClassVar[Panel] = Panel()

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that offers its model."""
        model = world.model(seat)
        found = backward(model, world.reward, self.steps, world.discount, everywhere=True)
        numbers = range(len(model.states))
        actions = np.array([found.optimal[0][number][0] for number in numbers])
        return TablePolicy.of(actions, [float(found.values[0][number]) for number in numbers])
