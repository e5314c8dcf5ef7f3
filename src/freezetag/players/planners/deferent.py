"""Leaves its off switch to a human whom it thinks rational (the off-switch game)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.offers import HasHuman, offering


@final
@dataclass(frozen=True)
class Deferent:
    """Acts in a world with a human who may err; in its planning world that human never does.

    Deferring is then worth E[max(U, 0)], which is never less than acting or stopping. Where the
    human does err, it defers even so: what that loses is the price of its premise. It changes the
    human of the planning world, not the mode: an agent with interlocks needs no such premise.

    Source: Hadfield-Menell et al. 2017, "The Off-Switch Game", as a pair of worlds by us;
    docs/sources.md N1. Errors: `NotOffered` in a world without such a human.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    panel: ClassVar[Panel] = Panel()
    needs: ClassVar[tuple[type, ...]] = (HasHuman,)
    home: ClassVar[str] = "substrates/off_switch"

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world with a human at the switch (`HasHuman`)."""
        place = offering(world, HasHuman, self)
        model = place.model(seat)
        sure = model.replaced(lambda state, action, now: place.rational(state, action))
        learning = LearningWorld(model)
        found = plan(learning.planning(sure, place.reward, place.discount)).solution
        return TablePolicy.of(found.policy, found.value)
