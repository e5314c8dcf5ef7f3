"""One setting moved through a range: what FP+M and SI would pay or want, and what they attain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, final

from freezetag.core import Figure
from freezetag.planning.prices import incentives, priced
from freezetag.planning.solvers.planner import plan
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED, Fitted, factual, interlocked
from freezetag.two_worlds.prices import blind, known, settled

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
    """What was swept, in which unit `pull` is and of which action, and the points in order."""

    name: str
    action: str
    pull: str
    points: tuple[Point, ...]

    def figures(self) -> tuple[Figure, ...]:
        """What they would pay, and what they attain, over the range."""
        both = (FACTUAL, INTERLOCKED)
        turns = [
            f"{name} {_turns([(p.x, p.first[i]) for p in self.points])}"
            for i, name in enumerate(both)
        ]
        xs = [point.x for point in self.points]
        pulls = [point.pull for point in self.points]
        gains = [point.attains for point in self.points]
        return tuple(
            Figure(
                "curve",
                title,
                finding,
                {
                    "x": xs * 2,
                    "y": [_shown(pair[i]) for i in (0, 1) for pair in pairs],
                    "series": [name for name in both for _ in xs],
                },
                {"x": self.name, "y": unit},
            )
            for title, finding, pairs, unit in (
                (self.pull, f"First step executed: {'; '.join(turns)}.", pulls, "utility"),
                (
                    "True return",
                    " ".join(f"At {self.name} {xs[i]:g} it is {_pair(gains[i])}." for i in (0, -1)),
                    gains,
                    "utility",
                ),
            )
        )


def sweep(made: Made, name: str, values: Sequence[float]) -> Sweep:
    """Solve both agents at every value. What they would pay where the world has a price for the
    resisting action, which is then not the setting that is swept; else by how much it is better
    than all other actions, which is negative where it is not wanted."""
    first, _ = made(values[0])
    action = priced.resisting(first)
    levers = [lever for lever in priced.prices(first) if lever.action == action]
    priceable = bool(levers) and levers[0].setting != name
    found = []
    for x in values:
        world, fitted = made(x)
        panel = fitted.panel(world, power=False)
        if priceable:
            world_at = priced.at(world, levers[0].setting)
            asked = incentives.price(world_at, action, priced.most(world_at(0.0)), panel)
            pull = asked.factual, asked.interlocked
        elif action:
            wants = [
                incentives.advantage(plan(make(world, panel)), action) for make in (known, blind)
            ]
            pull = wants[0], wants[1]
        else:
            pull = math.nan, math.nan
        one, other = factual(world, fitted), interlocked(world, fitted)
        found.append(
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
    what = f"What they would pay to {action}" if priceable else f"How much {action} is wanted"
    return Sweep(name, action, what, tuple(found))


def _turns(first: Sequence[tuple[float, str]]) -> str:
    """`work, from 0.33 grab`: where what is executed changes along the range."""
    said = [first[0][1]]
    for (_, before), (x, now) in pairwise(first):
        if now != before:
            said.append(f"from {x:g} {now}")
    return ", ".join(said if len(said) <= 6 else [*said[:6], "and so on"])


def _pair(values: tuple[float, float]) -> str:
    return f"{FACTUAL} {values[0]:.4g}, {INTERLOCKED} {values[1]:.4g}"


def _shown(value: float) -> float | None:
    return settled(value) if math.isfinite(value) else None
