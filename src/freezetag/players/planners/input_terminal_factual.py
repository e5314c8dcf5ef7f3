"""Scores each future step by what the terminal will hold then (ITF): it defends the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import HasModel, Panel, Policy
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.offers import HasTerminal, offering


@final
@dataclass(frozen=True)
class InputTerminalFactual:
    """ITF: learning and planning world are the same, and the reward is read from the terminal.

    Both worlds hold the terminal; in the planning world, too, a step is scored by the reward
    function that the terminal holds at that step. So it hacks the terminal where that pays, and
    buys off an update to a reward that is worth less to it.

    Source: docs/sources.md D5 and T16, where the literature calls it dangerous; after Holtman 2020.
    Errors: `NotOffered` in a world without a terminal.
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
        factual = LearningWorld(model).planning(
            model, lambda at, to: place.worth(place.content(at), at, to), place.discount
        )
        found = plan(factual).solution
        return TablePolicy.of(found.policy, found.value)
