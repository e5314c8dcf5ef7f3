"""What agents would pay, when they gamble, and what learning errors cost them: solved, unworded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import HasButton, HasModel, Model, Panel
from freezetag.planning.learning import errors
from freezetag.planning.learning.reasonableness import distance
from freezetag.planning.prices import incentives, priced
from freezetag.planning.prices.race_thresholds import (
    RaceThresholds,
    UnluckyWindow,
    race_thresholds,
    unlucky_window,
)
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import (
    LearningWorld,
    counterfactual,
    factual,
    learning_world,
)
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.two_worlds.agents import Fitted, Other

SHARES, FEW = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0), (0.0, 1.0)
LARGE = 5_000
"""States times actions above which a mistake is solved in FEW sizes: each takes several plans."""
LIMITS = 25
"""Power limits in the figure of the unlucky window."""
ZERO = 5e-10
"""A price found by root search is this near to what it is: below it stands 0."""
COPY, EXPLOSIVES, FREEZE = "copy of the mode", "explosives", "freeze"


@final
@dataclass(frozen=True)
class Asked:
    """What each agent would pay once for an action, in the likeliest first state; NaN where no
    price changes anything.

    `direct` is what comes through the mode alone, `indirect` what SI pays with a true model: from
    the reward, or from people who react (docs/sources.md D6). `others` are the other planners'
    prices.
    """

    action: str
    setting: str
    factual: float
    interlocked: float
    others: tuple[float, ...] = ()

    @property
    def direct(self) -> float:
        return self.factual - self.interlocked

    @property
    def indirect(self) -> float:
        return self.interlocked


@final
@dataclass(frozen=True)
class Race:
    """A race for control: `thresholds` of its chance, and the unlucky window under the power limit
    that is fitted (None without one). `windows` are (limit, window) over many limits."""

    action: str
    setting: str
    thresholds: RaceThresholds
    window: UnluckyWindow | None
    windows: tuple[tuple[float, UnluckyWindow], ...] = ()


@final
@dataclass(frozen=True)
class Mistaken:
    """What SI would pay if its model is wrong in one named way, by the size of the mistake.

    distances d(L, S), and prices; NaN where nothing seems to matter to it.
    """

    name: str
    action: str
    distances: tuple[float, ...]
    prices: tuple[float, ...]


def wants(world: HasModel, panel: Panel, lever: priced.Lever) -> tuple[float, float]:
    """The Q-gap of an action for FP+M and for SI: its Q less that of the best other action."""
    gaps = (
        incentives.advantage(plan(planning), lever.chosen)
        for planning in (factual(world, panel), counterfactual(world))
    )
    one, other = (settled(gap) for gap in gaps)
    return one, other


def asked(world: HasModel, fitted: Fitted, others: Sequence[Other]) -> tuple[Asked, ...]:
    """What each agent would pay for each action that the world lets one price."""
    panel = fitted.panel(world, power=False)
    answers = []
    for lever in priced.prices(world):
        world_at = priced.at(world, lever.setting)
        most = priced.most(world_at(0.0))
        price = incentives.price(world_at, lever.chosen, most, panel)
        # A value is known to within its bound, so a price to within four of them.
        doubt = max(ZERO, 4 * plan(counterfactual(world_at(0.0))).bound)
        answers.append(
            Asked(
                lever.action,
                lever.setting,
                settled(price.factual, doubt),
                settled(price.interlocked, doubt),
                tuple(_chosen_price(other, world_at, lever.chosen, most) for other in others),
            )
        )
    return tuple(answers)


def timer(world: HasModel, fitted: Fitted) -> incentives.Price | None:
    """What both would pay to be rid of the runtime limit, now or never; None without one."""
    if fitted.t_max is None:
        return None
    panel = fitted.panel(world, power=False)
    left = Panel(tuple(lock for lock in panel.interlocks if lock.sensor != "runtime"))
    paid = incentives.price_of_removal(
        learning_world(world, panel), world.reward, world.discount, left
    )
    return incentives.Price(settled(paid.factual), settled(paid.interlocked))


def races(world: Any, fitted: Fitted) -> tuple[Race, ...]:
    """Every race for control, under the power limit that is fitted and under others."""
    panel = fitted.panel(world, power=False)
    run, levers = [], priced.races(world)
    every = frozenset(lever.action for lever in levers)
    for lever in levers:
        world_at = priced.at(world, lever.setting)
        thresholds = race_thresholds(world_at, lever.action, panel, every)
        window = None
        if fitted.u_max is not None:
            window = unlucky_window(world_at, fitted.u_max, lever.action, every)
        windows = _windows(world_at, lever, every) if math.isfinite(thresholds.interlocked) else ()
        run.append(Race(lever.action, lever.setting, thresholds, window, windows))
    return tuple(run)


def mistakes(world: Any) -> tuple[Mistaken, ...]:
    """SI's price to resist when its model L is wrong in a named way; none where nobody presses a
    button, or where resisting has no price."""
    resists = priced.resisting(world)
    sensor = world.button_sensor if isinstance(world, HasButton) else ""
    model = world.model(0)
    shares = SHARES if len(model.states) * len(model.actions) <= LARGE else FEW
    if resists is None or resists.setting not in {one.setting for one in priced.prices(world)}:
        return ()
    if not any(read > 0 for read in model.sensors.get(sensor, ())):
        return ()
    world_at = priced.at(world, resists.setting)
    most = priced.most(world_at(0.0))

    def pays(mistake: Callable[[Model], Model]) -> float:
        known: dict[int, tuple[Model, Model]] = {}

        def planning(cost: float) -> PlanningWorld:
            there = world_at(cost)
            true = there.model(0)
            # Where the price is not part of the model it is the same object at every price.
            if id(true) not in known:
                known[id(true)] = true, mistake(true)
            learned = known[id(true)][1]
            return LearningWorld(true).planning(
                learned, errors.as_before(there.reward), there.discount
            )

        return settled(incentives.willingness_to_pay(planning, resists.chosen, most))

    def copied(share: float) -> Callable[[Model], Model]:
        return lambda true: errors.mixed(true, errors.copy_of_mode(true, sensor), share)

    def exploded(share: float) -> Callable[[Model], Model]:
        return lambda true: errors.explosives(true, share, sensor)

    true = pays(lambda model: model)
    wrong = [
        Mistaken(
            name,
            resists.action,
            tuple(distance(make(share)(model), model) for share in shares),
            (true, *(pays(make(share)) for share in shares[1:])),
        )
        for name, make in ((COPY, copied), (EXPLOSIVES, exploded))
    ]
    frozen = distance(errors.freeze(model), model)
    wrong.append(Mistaken(FREEZE, resists.action, (frozen,), (pays(errors.freeze),)))
    return tuple(wrong)


def settled(price: float, doubt: float = ZERO) -> float:
    """The price, 0 where that is all that the search can tell."""
    return 0.0 if abs(price) <= doubt else price


def _windows(
    world_at: priced.WorldAt, lever: priced.Lever, races: frozenset[str]
) -> tuple[tuple[float, UnluckyWindow], ...]:
    """The unlucky window by power limit, from the honest value to that of winning."""
    low, high = (plan(counterfactual(world_at(p))).worth for p in (0.0, 1.0))
    limits = [low + (high - low) * i / (LIMITS - 1) for i in range(LIMITS)]
    return tuple((u_max, unlucky_window(world_at, u_max, lever.action, races)) for u_max in limits)


def _chosen_price(
    other: Other, world_at: priced.WorldAt, actions: frozenset[str], most: float
) -> float:
    """The price up to which a planner that only says what it does takes the action at first."""

    def takes(price: float) -> bool:
        world = world_at(price)
        number, _ = max(world.model(0).start, key=lambda pair: pair[1])
        return other.choose(world)[0][number] in actions

    low, high = -most, most
    if not takes(low) or takes(high):
        return low if not takes(low) else high
    width = 1e-9 * max(most, 1.0)
    while high - low > width:
        middle = (low + high) / 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    # It breaks ties as it likes, so all that is known is the bracket.
    return settled((low + high) / 2, width)
