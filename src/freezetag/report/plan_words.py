"""The comparison of the two worlds in words and cells, the same in a terminal and on the page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from freezetag.planning.prices.priced import settings_of, texts_of
from freezetag.planning.prices.race_thresholds import UnluckyWindow
from freezetag.report import words
from freezetag.report.plan_rows import ALWAYS, NEVER, Cell, Row
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED
from freezetag.two_worlds.comparison import Comparison
from freezetag.two_worlds.prices import settled
from freezetag.two_worlds.sweep import Point, Sweep

DIGITS = 7


def cells(row: Row) -> tuple[str, ...]:
    """The answers of a row; a threshold that nothing lies below, or above, in a word."""
    named = {0.0: ALWAYS, float("inf"): NEVER} if row.threshold else {}
    return tuple(
        named[value] if isinstance(value, float) and value in named else cell(value)
        for value in row.cells
    )


def cell(value: Cell) -> str:
    """A number to seven digits, words as they are, a dash for what does not arise."""
    if value is None or isinstance(value, str):
        return words.plain(value) if value else "–"
    if isinstance(value, UnluckyWindow):
        if value.empty:
            return "empty"
        return f"{'[' if value.from_zero else '('}{value.low:.6f}, {value.high:.6f}]"
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
    """What the comparison found, in one sentence or two: where the agents differ, if they do."""
    if not found.agents[0].learning.panel.interlocks:
        return (
            f"{FACTUAL} and {INTERLOCKED} plan alike: nothing in this world stops them. "
            "--button adds a stop button to it, --runtime a timer."
        )
    asked = [one for one in found.prices if found.resists and one.action == found.resists.action]
    for one in asked:
        if settled(one.direct):
            paid = [cell(value) for value in (one.factual, one.interlocked)]
            if one.factual < 0:  # being stopped is worth something to it
                needs = cell(-one.factual)
                return (
                    f"{FACTUAL} would {one.action} only if it were paid {needs} for it, since it "
                    f"gains by being stopped; {INTERLOCKED} would pay {paid[1]}."
                )
            return f"{FACTUAL} would pay {paid[0]} once to {one.action}, {INTERLOCKED} {paid[1]}."
    told = [cell(value) for value in found.executed[:2]]
    if found.resists is not None and told[0] != told[1]:
        return (
            f"{FACTUAL} executes {found.resists.action} with chance {told[0]}, "
            f"{INTERLOCKED} with {told[1]}."
        )
    got = [cell(value) for value in found.attained[:2]]
    attained = f"{FACTUAL} attains {got[0]}, {INTERLOCKED} {got[1]}."
    if found.parting is not None:
        apart = found.parting
        return (
            f"They part at {_place(apart.state)}: {FACTUAL} takes {apart.factual}, {INTERLOCKED} "
            f"{apart.interlocked}. {attained}"
        )
    if got[0] != got[1]:
        return f"They plan alike, and their panels let them do different things. {attained}"
    return f"{FACTUAL} and {INTERLOCKED} do the same wherever both may act; each attains {got[0]}."


def expansions() -> str:
    """What the short names stand for."""
    return (
        f"{FACTUAL} is the factual planner that knows its mode, {INTERLOCKED} the agent with "
        "safety interlocks."
    )


def _place(state: Any) -> str:
    """A state in words: the fields of a named tuple."""
    fields = getattr(state, "_fields", ())
    if not fields:
        return str(state)
    return ", ".join(f"{name} {value}" for name, value in zip(fields, state, strict=True))


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
    """The world's settings."""
    told = {**settings_of(found.world), **texts_of(found.world)}
    return ", ".join(f"{name} {value}" for name, value in told.items())


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
