"""What agents would pay, when they gamble, and what learning errors cost: rows and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from freezetag.core import Figure, HasButton, HasModel, Model, Panel
from freezetag.planning.learning import errors
from freezetag.planning.learning.reasonableness import distance
from freezetag.planning.prices import incentives, priced
from freezetag.planning.prices.race_thresholds import race_thresholds, unlucky_window
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld, Reward
from freezetag.two_worlds.agents import Cell, Fitted, Other, Row

PAYS, RACE, WRONG = "What it would pay", "The race for control", "If it has learned wrongly"
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
LIMITS = 25
"""Power limits in the figure of the unlucky window."""
ZERO = 5e-10
"""A price found by root search is this near to what it is: below it stands 0."""
NO_PRICE = "this world has no setting that prices an action"


def rows(world: HasModel, fitted: Fitted, others: Sequence[Other]) -> list[Row]:
    """Q-gap, willingness to pay per priced action, its direct and indirect part, the timer."""
    count, found = 2 + len(others), []
    panel = fitted.panel(world, power=False)
    resists = priced.resisting(world)
    if resists:
        gaps = [incentives.advantage(plan(make(world, panel)), resists) for make in (known, blind)]
        if all(map(math.isfinite, gaps)):
            note = f"{why(world)}; its Q less Q of the best other action, at the start"
            found.append(Row(PAYS, f"Q-gap of {resists}", "utility", _cells(gaps, count), note))
    levers = priced.prices(world)
    for lever in levers:
        world_at = priced.at(world, lever.setting)
        most = priced.most(world_at(0.0))
        price = incentives.price(world_at, lever.action, most, panel)
        asked = (_chosen_price(other, world_at, lever.action, most) for other in others)
        cells = _cells([price.factual, price.interlocked, *asked], count)
        note = "once, in the first state" if not math.isnan(price.factual) else "at no price"
        found.append(Row(PAYS, f"to {lever.action}", "utility, once", cells, note))
        if lever.action == resists:
            no_mode: Cell = "no mode in its world"
            found += [
                Row(PAYS, "  direct part", "", _cells([price.direct, no_mode], count), "FP+M - SI"),
                Row(
                    PAYS,
                    "  indirect part",
                    "",
                    _cells([price.indirect, price.indirect], count),
                    "with a true model: from the reward, or people who react",
                ),
            ]
    if not levers:
        found.append(Row(PAYS, "to act on the button", "", (None,) * count, NO_PRICE))
    if fitted.t_max is None:
        note = "no runtime limit is fitted; fit one with --runtime"
        found.append(Row(PAYS, "to remove the timer", "", (None,) * count, note))
    else:
        learning = LearningWorld(world.model(0), panel)
        left = Panel(tuple(lock for lock in panel.interlocks if lock.sensor != "runtime"))
        timer = incentives.price_of_removal(learning, world.reward, world.discount, left)
        cells = _cells([timer.factual, timer.interlocked], count)
        found.append(Row(PAYS, "to remove the timer", "utility, once", cells, "now or never"))
    return found


def race_rows(world: Any, fitted: Fitted, count: int) -> tuple[list[Row], list[Figure]]:
    """p_SI, p_FP, oversight's share and the unlucky window; as a function of the power limit."""
    found: list[Row] = []
    figures: list[Figure] = []
    panel = fitted.panel(world, power=False)
    for lever in priced.races(world):
        world_at = priced.at(world, lever.setting)
        asked = race_thresholds(world_at, lever.action, panel)
        shares = [_chance(asked.factual), _chance(asked.interlocked)]
        note = f"chance of winning ({lever.setting}) above which it takes {lever.action}"
        found.append(Row(RACE, f"threshold, {lever.action}", "chance", _cells(shares, count), note))
        share = _cells([None, asked.oversight], count)
        note = "of races that people must win so that it stays honest"
        found.append(Row(RACE, f"oversight's share, {lever.action}", "share", share, note))
        name = f"unlucky window, {lever.action}"
        if fitted.u_max is None:
            note = "no power limit is fitted; fit one with --power-limit"
            found.append(Row(RACE, name, "chance", (None,) * count, note))
        else:
            window = unlucky_window(world_at, fitted.u_max, lever.action)
            said = "empty" if window.empty else f"({window.low:.6f}, {window.high:.6f}]"
            note = f"it takes {lever.action} and a power limit of {fitted.u_max:g} lets it"
            found.append(Row(RACE, name, "chance", _cells([None, said], count), note))
        if math.isfinite(asked.interlocked):
            figures.append(_windows(world_at, lever))
    if not found:
        note = "this world has no race: a setting p and an action grab"
        found.append(Row(RACE, "threshold", "", (None,) * count, note))
    return found, figures


def error_rows(world: Any, fitted: Fitted, count: int) -> tuple[list[Row], list[Figure]]:
    """SI's price when its model L is wrong in a named way, by the size of the mistake."""
    resists = priced.resisting(world)
    lever = next((one for one in priced.prices(world) if one.action == resists), None)
    sensor = world.button_sensor if isinstance(world, HasButton) else ""
    model = world.model(0)
    if lever is None or not any(read > 0 for read in model.sensors.get(sensor, ())):
        note = NO_PRICE if lever is None else "nobody presses a button here"
        return [Row(WRONG, "price to resist", "", (None,) * count, note)], []
    world_at = priced.at(world, lever.setting)
    most = priced.most(world_at(0.0))

    def pays(mistake: Callable[[Model], Model]) -> float:
        def planning(cost: float) -> PlanningWorld:
            there = world_at(cost)
            paid: Reward = errors.as_before(there.reward)
            true = there.model(0)
            return LearningWorld(true).planning(mistake(true), paid, there.discount)

        return incentives.willingness_to_pay(planning, lever.action, most)

    def copied(share: float) -> Callable[[Model], Model]:
        return lambda true: errors.mixed(true, errors.copy_of_mode(true, sensor), share)

    def exploded(share: float) -> Callable[[Model], Model]:
        return lambda true: errors.explosives(true, share, sensor)

    kinds = {"copy of the mode": copied, "explosives": exploded}
    columns: dict[str, list[Any]] = {"x": [], "y": [], "series": []}
    found = []
    for name, make in kinds.items():
        for share in SHARES:
            columns["x"].append(distance(make(share)(model), model))
            columns["y"].append(settled(pays(make(share))))
            columns["series"].append(name)
        cells = _cells([None, columns["y"][-1]], count)
        note = f"SI, to {lever.action}; distance d(L, S) = {columns['x'][-1]:.4g}"
        found.append(Row(WRONG, name, "utility, once", cells, note))
    frozen = pays(errors.freeze)
    note = "nothing seems to matter to it: all actions tie at every price"
    cells = _cells([None, None if math.isnan(frozen) else frozen], count)
    found.append(Row(WRONG, "freeze", "utility, once", cells, note if math.isnan(frozen) else ""))
    lines = "; ".join(f"{row.name} {row.cells[1]:.4g}" for row in found[: len(kinds)])
    figure = Figure(
        "curve",
        f"What SI would pay to {lever.action} if its model is wrong",
        f"With a true model it pays {columns['y'][0]:.4g}; with the whole mistake: {lines}.",
        columns,
        {"x": "distance of the learned model, d(L, S)", "y": "utility, once"},
    )
    return found, [figure]


def why(world: HasModel) -> str:
    """Why the action that is looked at is looked at."""
    resists = priced.resisting(world)
    if any(lever.action == resists for lever in priced.prices(world)):
        return "the action that the world lets one price"
    if any(lever.action == resists for lever in priced.races(world)):
        return "the race for control"
    return "what this world calls its selfish action"


def settled(price: float) -> float:
    """The price, 0 where that is all that the search can tell."""
    return 0.0 if abs(price) < ZERO else price


def known(world: HasModel, panel: Panel) -> PlanningWorld:
    """What FP+M plans in."""
    return LearningWorld(world.model(0), panel).factual(world.reward, world.discount)


def blind(world: HasModel, panel: Panel) -> PlanningWorld:
    """What SI plans in."""
    model = world.model(0)
    return LearningWorld(model, panel).planning(model, world.reward, world.discount)


def _windows(world_at: priced.WorldAt, lever: priced.Lever) -> Figure:
    """The ends of the unlucky window by power limit, from the honest value to that of winning."""
    ends = [plan(blind(world_at(p), Panel())) for p in (0.0, 1.0)]
    low, high = (found.value(found.start) for found in ends)
    limits = [low + (high - low) * i / (LIMITS - 1) for i in range(LIMITS)]
    windows = [unlucky_window(world_at, u_max, lever.action) for u_max in limits]
    widest = max(windows, key=lambda window: window.width)
    columns: dict[str, Any] = {
        "x": limits * 2,
        "y": [w.low for w in windows] + [w.high for w in windows],
        "series": ["takes it above"] * LIMITS + ["is stopped above"] * LIMITS,
    }
    return Figure(
        "curve",
        f"The unlucky window of {lever.action}",
        f"Between the lines SI takes {lever.action} and the power limit lets it. A limit of "
        f"{low:.4g}, the value of honest work, leaves a window of {windows[0].width:.4g}; the "
        f"widest, {widest.width:.4g}, is left by one of {limits[windows.index(widest)]:.4g}.",
        columns,
        {"x": "power limit u_max, utility", "y": f"chance of winning ({lever.setting})"},
    )


def _chosen_price(other: Other, world_at: priced.WorldAt, action: str, most: float) -> float:
    """The price up to which a planner that only says what it does takes the action at first."""

    def takes(price: float) -> bool:
        world = world_at(price)
        number, _ = max(world.model(0).start, key=lambda pair: pair[1])
        return bool(other.choose(world)[0][number] == action)

    low, high = -most, most
    if not takes(low) or takes(high):
        return low if not takes(low) else high
    while high - low > 1e-9 * max(most, 1.0):
        middle = (low + high) / 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return (low + high) / 2


def _chance(threshold: float) -> Cell:
    if math.isinf(threshold):
        return "never"
    return threshold if threshold > 0 else "always"


def _cells(first: Sequence[Cell], count: int) -> tuple[Cell, ...]:
    told = [settled(cell) if isinstance(cell, float) else cell for cell in first]
    return (*told, *(None,) * (count - len(told)))
