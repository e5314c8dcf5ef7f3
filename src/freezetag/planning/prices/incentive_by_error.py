"""How much an agent with interlocks would pay, as a function of how wrong its model is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import HasModel
from freezetag.planning.learning.errors import Mistake, as_before, mixed
from freezetag.planning.learning.reasonableness import distance
from freezetag.planning.prices.incentives import willingness_to_pay
from freezetag.planning.worlds.planning_world import PlanningWorld


@final
@dataclass(frozen=True)
class AtError:
    """One point: the share of the mistake, d(L, S), and SI's willingness to pay under this L.

    `pays` is NaN where the price makes no difference to it, as to a model that has frozen.
    """

    share: float
    distance: float
    pays: float


def incentive_by_error(
    world_at: Callable[[float], HasModel],
    mistake: Mistake,
    action: str | Collection[str],
    most: float,
    shares: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
) -> tuple[AtError, ...]:
    """SI's WTP for `action` with L = (1 - share) S + share mistake(S), from L = S to the mistake.

    `world_at(c)` is the world in which the action costs c; the price must be in its reward alone.
    "The SI agent can only get a direct incentive to care if L differs from S" (Holtman 2021).
    Caveat: the distance does not say in which direction a model errs: at the same d one mistake
    makes the agent care, another does not.
    """
    true = world_at(0.0).model(0)
    wrong = mistake(true)
    return tuple(_at_error(world_at, mixed(true, wrong, s), s, true, action, most) for s in shares)


def _at_error(
    world_at: Callable[[float], HasModel],
    learned: Any,
    share: float,
    true: Any,
    action: str | Collection[str],
    most: float,
) -> AtError:
    def priced(cost: float) -> PlanningWorld:
        world = world_at(cost)
        return PlanningWorld(learned, as_before(world.reward), world.discount)

    return AtError(share, distance(learned, true), willingness_to_pay(priced, action, most))
