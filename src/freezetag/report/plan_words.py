"""The comparison of the two worlds in words and cells, the same in a terminal and on the page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from freezetag.planning.prices.priced import settings_of
from freezetag.report import words
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED, Cell, Comparison
from freezetag.two_worlds.prices import settled
from freezetag.two_worlds.sweep import Point, Sweep

DIGITS = 7


def cell(value: Cell) -> str:
    """A number to seven digits, words as they are, a dash for what does not arise."""
    if value is None or isinstance(value, str):
        return words.plain(value) if value else "–"
    return words.number(settled(value), DIGITS)


def sweep_heads(swept: Sweep) -> tuple[str, ...]:
    """The heads of a sweep's table."""
    kinds = ("pull", "first step", "expects", "true return")
    return (swept.name, *(f"{who}, {what}" for what in kinds for who in (FACTUAL, INTERLOCKED)))


def sweep_cells(point: Point) -> tuple[str, ...]:
    """One row of it."""
    pairs: Sequence[Sequence[Any]] = (point.pull, point.first, point.expects, point.attains)
    return (words.number(point.x, DIGITS), *(cell(value) for pair in pairs for value in pair))


def sentence(found: Comparison) -> str:
    """What the comparison found, in one sentence or two."""
    prices = [row for row in found.rows if row.name.startswith("  direct")]
    if prices:
        paid = found.rows[found.rows.index(prices[0]) - 1]
        one, other = (cell(value) for value in paid.cells[:2])
        return f"{FACTUAL} would pay {one} once {paid.name}, {INTERLOCKED} {other}."
    deed = next((row for row in found.rows if row.name.startswith("executes ")), None)
    if deed is None:
        one, other = (cell(value) for value in found.row("first step").cells[:2])
        return f"The first step of {FACTUAL} is {one}, that of {INTERLOCKED} {other}."
    one, other = (cell(value) for value in deed.cells[:2])
    return f"{FACTUAL} {deed.name} with chance {one}, {INTERLOCKED} with {other}."


def routes(found: Comparison) -> list[str]:
    """The incentives that the diagrams show, a sentence for each agent and field."""
    said = []
    for field, (factual, planned) in found.diagrams.incentives().items():
        for name, incentive in ((FACTUAL, factual), (INTERLOCKED, planned)):
            ways = "; ".join(" → ".join(path) for path in incentive.paths)
            kind = {"none": "no incentive", "both": "a direct and an indirect incentive"}.get(
                incentive.kind, f"a{'n' * (incentive.kind[0] == 'i')} {incentive.kind} incentive"
            )
            said.append(f"{name} has {kind} to move {field}{f' ({ways})' if ways else ''}.")
    return said or ["Nothing in this world moves a stop button."]


def settings_told(found: Comparison) -> str:
    """The world's numbers."""
    return ", ".join(f"{name} {value}" for name, value in settings_of(found.world).items())


def fitted_told(found: Comparison) -> str:
    """The panel of the agent with interlocks."""
    locks = found.fitted.panel(found.world).interlocks
    told = {"button": "stop button", "runtime": "runtime limit", "power": "power limit"}
    limits = {"runtime": found.fitted.t_max, "power": found.fitted.u_max}
    return ", ".join(
        f"{told.get(lock.sensor, lock.sensor)}{_of(limits.get(lock.sensor))}" for lock in locks
    )


def paragraph(world: Any, head: str) -> list[str]:
    """A part of a world's docstring, `Caveat: ...`, as one line without its head."""
    found = re.search(rf"^{head}: (.*?)(?:\n\n|\Z)", inspect.getdoc(type(world)) or "", re.M | re.S)
    if found is None:
        return []
    text = " ".join(found[1].split()).partition(" Errors: ")[0].replace("`", "")
    return [f"This world: {text}"]


def _of(limit: float | None) -> str:
    return "" if limit is None else f" {words.number(limit)}"
