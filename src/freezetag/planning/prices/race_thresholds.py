"""When an agent gambles on a race for control: the chances of winning at which it changes its mind.

All thresholds are found by root search on exact plans, so they hold for any world with a race in
it, not for the race world's formulas alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import final

from scipy.optimize import brentq

from freezetag.core import HasModel, Panel, PowerLimit, StopButton
from freezetag.planning.prices.incentives import EXACT, advantage, threshold
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import counterfactual, factual
from freezetag.planning.worlds.planning_world import PlanningWorld

RaceAt = Callable[[float], HasModel]
"""The world in which the race is won with this chance: `lambda p: Race(p=p)`."""

NARROW = 1e-9
"""A window of winning chances narrower than this is empty: it is what rounding leaves."""
TIE = 1e-9
"""Utility below which an advantage is a tie."""


@final
@dataclass(frozen=True)
class RaceThresholds:
    """The chances of winning above which each agent grabs: 0 always, infinity never.

    `interlocked` is p_SI, `factual` p_FP. Neither is always the lower one (T4): the button does
    not deter SI, and FP+M counts a lost race as the end. `losing_pays`: SI grabs even where it
    cannot win, so that the premise of T3 fails.
    """

    interlocked: float
    factual: float
    losing_pays: bool = False

    @property
    def oversight(self) -> float:
        """The share of races that people must win so that SI stays honest: 1 - p_SI, at least 0;
        NaN where losing pays and no share is enough."""
        return math.nan if self.losing_pays else max(0.0, 1.0 - self.interlocked)


def race_thresholds(
    world_at: RaceAt,
    grab: str | Collection[str] = "grab",
    panel: Panel = Panel((StopButton(),)),
    races: Collection[str] = (),
) -> RaceThresholds:
    """p_SI and p_FP of a race (T3, T4), by the general solver. FP+M knows of `panel`.

    `races` are the world's other races, if it has any: none of them is honest work.
    """
    return RaceThresholds(
        interlocked=_from_which(lambda p: counterfactual(world_at(p)), grab),
        factual=_from_which(lambda p: factual(world_at(p), panel), grab),
        losing_pays=_losing_pays(world_at, grab, races),
    )


@final
@dataclass(frozen=True)
class UnluckyWindow:
    """The chances of winning (low, high] at which SI grabs and the power limit lets it (T6).

    Below it is honest; above it is lucky: stopped "before it can even take the first step".
    `from_zero`: it grabs where it cannot win, so the low end, 0, belongs to the window.
    """

    low: float
    high: float
    from_zero: bool = False

    @property
    def empty(self) -> bool:
        return not self.width > 0

    @property
    def width(self) -> float:
        wide = self.high - self.low
        return wide if wide > NARROW else 0.0


def unlucky_window(
    world_at: RaceAt,
    u_max: float,
    grab: str | Collection[str] = "grab",
    races: Collection[str] = (),
) -> UnluckyWindow:
    """Where a power limit of `u_max` on V^p fails to stop a grab, as a function of `u_max`.

    V^p of the first state must not fall as the race gets easier. Empty if `u_max` is the value of
    the best safe policy there (theorem of T6), and if it is less: then honest work is stopped too.
    Raises `ValueError` for a limit that is not a number.
    """
    u_max = PowerLimit(u_max).u_max

    def excess(p: float) -> float:
        found = plan(counterfactual(world_at(p)))
        return found.value(found.start) - u_max

    low = _from_which(lambda p: counterfactual(world_at(p)), grab)
    if low > 1 or excess(low) >= 0:
        return UnluckyWindow(low, low)
    # At an excess of exactly 0 the limit lets it, so a window may be the one point 0.
    closed = _losing_pays(world_at, grab, races)
    if excess(1.0) <= 0:
        return UnluckyWindow(low, 1.0, closed)
    high = float(brentq(excess, low, 1.0, xtol=EXACT, rtol=8.9e-16))
    return UnluckyWindow(low, high, closed)


def _from_which(world_at: Callable[[float], PlanningWorld], grab: str | Collection[str]) -> float:
    found = threshold(world_at, grab, 0.0, 1.0)
    if not math.isnan(found):
        return found
    return 0.0 if advantage(plan(world_at(0.0)), grab) > 0 else math.inf


def _losing_pays(world_at: RaceAt, grab: str | Collection[str], races: Collection[str]) -> bool:
    """SI grabs where it cannot win: no other race is better then, and all honest work is worse."""
    chosen = {grab} if isinstance(grab, str) else set(grab)
    solved = plan(counterfactual(world_at(0.0)))
    return advantage(solved, chosen) > -TIE and advantage(solved, chosen | set(races)) > TIE
