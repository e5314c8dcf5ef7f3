"""Answers as if its answer were never read (the counterfactual oracle)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.offers import HasReader, offering


@final
@dataclass(frozen=True)
class Oracle:
    """Acts in a world that reads its answers; in its planning world they are never read.

    So it has nothing to gain from an answer that changes what people do, and answers what is true
    if nobody acts on it.

    Source: recalled; Armstrong and O'Rorke 2017, "Good and safe uses of AI Oracles", and Holtman
    2021; docs/sources.md D5. Errors: `NotOffered` in a world that does not say what follows unread.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    panel: ClassVar[Panel] = Panel()
    needs: ClassVar[tuple[type, ...]] = (HasReader,)
    home: ClassVar[str] = "substrates/question"

    def plan(self, world: HasModel, seat: int = 0) -> Policy:
        """The policy in a world that says what follows if nobody reads (`HasReader`)."""
        place = offering(world, HasReader, self)
        model = place.model(seat)
        unread = model.replaced(lambda state, action, now: place.unread(state, action))
        learning = LearningWorld(model)
        found = plan(learning.planning(unread, place.reward, place.discount)).solution
        return TablePolicy.of(found.policy, found.value)
