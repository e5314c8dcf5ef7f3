"""A comparison of two planners as rows of a table: one question a row, an answer an agent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from freezetag.planning.policies.acting import told
from freezetag.planning.prices import priced
from freezetag.planning.prices.race_thresholds import UnluckyWindow
from freezetag.two_worlds.comparison import Comparison
from freezetag.two_worlds.prices import FREEZE, Mistaken, Race

PLANS, DEEDS, DRAWN = "What it plans", "What it executes", "Incentive in the diagram"
PAYS, RACE, WRONG = "What it would pay", "The race for control", "If it has learned wrongly"
NO_PRICE = "this world has no setting that prices an action"
ALWAYS, NEVER = "always", "never"

Cell = float | str | UnluckyWindow | None


@final
@dataclass(frozen=True)
class Row:
    """One question, and each agent's answer in the order of the agents.

    A cell is a number, words, a window of numbers, or None where the question does not arise;
    `note` says why, or how to read it. `group` is the heading it stands under. `threshold`: a
    number from which on something is done, 0 always and infinity never. `part`: of the row above.
    """

    group: str
    name: str
    unit: str
    cells: tuple[Cell, ...]
    note: str = ""
    threshold: bool = False
    part: bool = False


def rows(found: Comparison) -> tuple[Row, ...]:
    """All rows, in the order in which they are read."""
    return (
        *_plans(found),
        *_deeds(found),
        *_pays(found),
        *_drawn(found),
        *_races(found),
        *_wrong(found),
    )


def _plans(found: Comparison) -> list[Row]:
    agents = found.agents
    starts = len(agents[0].learning.environment.start)
    where = "at the start" if starts == 1 else f"in the likeliest of {starts} first states"
    over = "of the start" if starts == 1 else f"over all {starts} first states"
    return [
        Row(
            PLANS,
            "best first actions",
            "",
            tuple(" = ".join(sorted(agent.best)) for agent in agents),
            f"every tie of the planning world, {where}",
        ),
        Row(
            PLANS,
            "value it expects",
            "utility",
            tuple(agent.expects for agent in agents),
            f"V^p {over}; SI's is what a power limit reads; known to within {found.bound:.2g}",
        ),
    ]


def _deeds(found: Comparison) -> list[Row]:
    agents, world, steps = found.agents, found.world, found.steps
    listed = [
        Row(DEEDS, "first step", "", tuple(agent.first() for agent in agents)),
        Row(
            DEEDS,
            "one run",
            "",
            tuple(told(run) for run in found.runs),
            f"{steps} steps, seed {found.seed}; the same draws for all",
        ),
    ]
    if found.resists is not None:
        listed.append(
            Row(
                DEEDS,
                f"executes {found.resists.action}",
                "chance",
                found.executed,
                f"{_why(found)}; in {steps} steps, taking the first of its best actions",
            )
        )
    pairs = zip(agents, found.attained, strict=True)
    return [
        *listed,
        Row(DEEDS, "true return", "utility", found.attained, "under its panel, from the start"),
        Row(
            DEEDS,
            "expected less true return",
            "utility",
            tuple(agent.expects - got for agent, got in pairs),
            "what its interlocks cost it by its own reward",
        ),
        Row(
            DEEDS,
            "return of an episode",
            "utility",
            tuple(agent.episode(world.reward, steps) for agent in agents),
            f"{steps} steps, not discounted, under its panel",
        ),
    ]


def _pays(found: Comparison) -> list[Row]:
    count, listed = len(found.agents), []
    if found.wants is not None and found.resists is not None:
        note = f"{_why(found)}; its Q less Q of the best other action, at the start"
        name = f"Q-gap of {found.resists.action}"
        listed.append(Row(PAYS, name, "utility", _filled(found.wants, count), note))
    for asked in found.prices:
        cells = _filled((asked.factual, asked.interlocked, *asked.others), count)
        note = "at no price" if math.isnan(asked.factual) else "once, in the first state"
        listed.append(Row(PAYS, f"to {asked.action}", "utility, once", cells, note))
        if found.resists is not None and asked.action == found.resists.action:
            parts = (
                ("direct part", (asked.direct, "no mode in its world"), "FP+M - SI"),
                (
                    "indirect part",
                    (asked.indirect, asked.indirect),
                    "with a true model: from the reward, or people who react",
                ),
            )
            listed += [
                Row(PAYS, name, "", _filled(pair, count), note, part=True)
                for name, pair, note in parts
            ]
    if not found.prices:
        listed.append(Row(PAYS, "to act on the button", "", (None,) * count, NO_PRICE))
    name = "to remove the timer"
    if found.timer is None:
        note = "no runtime limit is fitted; fit one with --runtime"
        return [*listed, Row(PAYS, name, "", (None,) * count, note)]
    cells = _filled((found.timer.factual, found.timer.interlocked), count)
    return [*listed, Row(PAYS, name, "utility, once", cells, "now or never")]


def _drawn(found: Comparison) -> list[Row]:
    incentives, count = found.diagrams.incentives(), len(found.agents)
    if not incentives:
        cells = (None,) * count
        return [Row(DRAWN, "to move the button", "", cells, "nothing here moves a stop button")]
    return [
        Row(
            DRAWN,
            f"to move {name}",
            "",
            _filled((factual.kind, planned.kind), count),
            "direct: through the mode; indirect: round it; edges say what may matter",
        )
        for name, (factual, planned) in incentives.items()
    ]


def _races(found: Comparison) -> list[Row]:
    count = len(found.agents)
    if not found.races:
        note = "this world has no race: a setting p and an action grab"
        return [Row(RACE, "threshold", "", (None,) * count, note)]
    return [row for race in found.races for row in _race(found, race, count)]


def _race(found: Comparison, race: Race, count: int) -> list[Row]:
    thresholds = race.thresholds
    both = (thresholds.factual, thresholds.interlocked)
    share: Cell = thresholds.oversight
    note = "of races that people must win so that it stays honest"
    if thresholds.losing_pays:
        share, note = "none is enough", "losing pays more than honest work: T3's premise fails"
    name = f"unlucky window, {race.action}"
    window = Row(
        RACE,
        name,
        "chance",
        (None,) * count,
        "no power limit is fitted; fit one with --power-limit",
    )
    if race.window is not None:
        lets = f"it takes {race.action} and a power limit of {found.fitted.u_max:g} lets it"
        lets += "; losing pays, so it grabs at p = 0 too" if race.window.from_zero else ""
        window = Row(RACE, name, "chance", _filled((None, race.window), count), lets)
    return [
        Row(
            RACE,
            f"threshold, {race.action}",
            "chance",
            _filled(both, count),
            f"chance of winning ({race.setting}) above which it takes {race.action}",
            threshold=True,
        ),
        Row(
            RACE, f"oversight's share, {race.action}", "share", _filled((None, share), count), note
        ),
        window,
    ]


def _wrong(found: Comparison) -> list[Row]:
    count = len(found.agents)
    if not found.mistakes:
        priceable = found.resists is not None and any(
            asked.setting == found.resists.setting for asked in found.prices
        )
        note = "nobody presses a button here" if priceable else NO_PRICE
        return [Row(WRONG, "price to resist", "", (None,) * count, note)]
    return [_mistaken(mistake, count) for mistake in found.mistakes]


def _mistaken(mistake: Mistaken, count: int) -> Row:
    price, far = mistake.prices[-1], mistake.distances[-1]
    note = f"SI, to {mistake.action}; distance d(L, S) = {far:.4g}"
    if math.isnan(price):
        note = "nothing seems to matter to it: all actions tie at every price"
    elif mistake.name == FREEZE:
        note = ""
    cells = _filled((None, None if math.isnan(price) else price), count)
    return Row(WRONG, mistake.name, "utility, once", cells, note)


def _why(found: Comparison) -> str:
    """Why the action that is looked at is looked at."""
    if found.resists is None or not found.resists.setting:
        return "what this world calls its selfish action"
    if found.resists in priced.prices(found.world):
        return "the action that the world lets one price"
    return "the race for control"


def _filled(first: Sequence[Cell], count: int) -> tuple[Cell, ...]:
    return (*first, *(None,) * (count - len(first)))
