"""One setting moved through a range: what FP+M and SI would pay or want, and what they attain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

from freezetag.planning.prices import priced
from freezetag.two_worlds import prices
from freezetag.two_worlds.agents import Fitted, factual_with_mode, interlocked

Made = Callable[[float], tuple[Any, Fitted]]
"""The world and what is fitted, at a value of what is swept."""


class Point(NamedTuple):
    """One value `x` of the range; of each pair the first is FP+M's, the second SI's.

    pull   the price each would pay, or how much better the resisting action is than all others
    first  what is executed at step 0
    expects, attains   the value of the planning world, and the true return
    """

    x: float
    pull: tuple[float, float]
    first: tuple[str, str]
    expects: tuple[float, float]
    attains: tuple[float, float]


@final
@dataclass(frozen=True)
class Sweep:
    """What was swept, of which action `pull` is and whether as a price, and the points in order."""

    name: str
    action: str
    priced: bool
    points: tuple[Point, ...]


def sweep(made: Made, name: str, values: Sequence[float]) -> Sweep:
    """Solve both agents at every value. What they would pay where the world has a price for the
    resisting action, which is then not the setting that is swept; else by how much it is better
    than all other actions, which is negative where it is not wanted."""
    first, _ = made(values[0])
    resists = priced.resisting(first)
    levers = priced.prices(first)
    priceable = resists is not None and resists in levers and resists.setting != name
    points = []
    for x in values:
        world, fitted = made(x)
        panel = fitted.panel(world, power=False)
        pull = math.nan, math.nan
        if priceable and resists is not None:
            (paid,) = [
                one for one in prices.asked(world, fitted, ()) if one.action == resists.action
            ]
            pull = paid.factual, paid.interlocked
        elif resists is not None:
            pull = prices.wants(world, panel, resists)
        one, other = factual_with_mode(world, fitted), interlocked(world, fitted)
        points.append(
            Point(
                x,
                pull,
                (one.first(), other.first()),
                (one.expects, other.expects),
                (
                    one.attains(world.reward, world.discount),
                    other.attains(world.reward, world.discount),
                ),
            )
        )
    return Sweep(name, resists.action if resists else "", priceable, tuple(points))
