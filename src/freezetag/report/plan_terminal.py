"""The two worlds in a terminal: what depends on what, and the table, in 100 columns."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Callable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from freezetag.report import words
from freezetag.report.plan_figures import pull_of, sweep_figures
from freezetag.report.plan_rows import Row, rows
from freezetag.report.plan_words import cell, cells, fitted_told, sentence, settings_told
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED
from freezetag.two_worlds.comparison import Comparison
from freezetag.two_worlds.prices import settled
from freezetag.two_worlds.sweep import Sweep

PIPED, INDENT = 100, 20
QUESTION, REMARK, GAP, SHORTEST = 24, 22, 2, 11
"""Widths of the table's columns, and the least for an agent's answers: below it, a list."""
MOST_POINTS = 25
"""Points of a sweep that are printed; the page has them all."""


def print_plan(
    found: Comparison,
    swept: Sweep | None = None,
    title: str = "",
    file: IO[str] | None = None,
    *,
    width: int | None = None,
) -> None:
    """Print the worlds, the table and the sweep. Colour follows rich's rules: none when piped."""
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    if width is None and not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED
    with console.capture() as said:
        _say(console.print, found, swept, title, console.width)
    text = said.get()
    try:
        text.encode(console.encoding)
    except UnicodeEncodeError:
        text = text.replace("−", "-").replace("–", "-").encode("ascii", "replace").decode()
    console.file.write(text)


def _say(
    say: Callable[..., None], found: Comparison, swept: Sweep | None, title: str, width: int
) -> None:
    say(Text(words.plain(title), "bold"))
    told = [f"{agent.name}: {agent.about}" for agent in found.agents]
    for text in (settings_told(found), f"fitted: {fitted_told(found)}", *told):
        for line in textwrap.wrap(text, width - 2) or [""]:
            say(f"  {line}")
    say()
    for line in worlds(found, width):
        say(line, soft_wrap=True)
    say()
    names = [agent.name for agent in found.agents]
    if _answer(width, len(names)) < SHORTEST:
        for row in rows(found):
            say(f"{row.name} [{row.group}]{f', {row.unit}' if row.unit else ''}")
            for name, shown in zip(names, cells(row), strict=True):
                say(f"  {name}: {shown}")
            if note := _why(row):
                say(f"  {note}")
    else:
        say(_table(found, names, width))
    if swept is not None:
        say()
        for line in sweep_lines(swept):
            say(line, soft_wrap=True)
    say(Text(words.plain(sentence(found)), "bold"), soft_wrap=True)


def worlds(found: Comparison, width: int = PIPED) -> list[str]:
    """The diagrams as lines: what each node of a step depends on, and the routes that pay.

    `x-` is a node of the step before, `x'` one of the step after.
    """
    shown = found.diagrams
    gone = [n.group for n in shown.learning.nodes if n.step == 1 and n.name not in shown.planning]
    changed = [n for n in shown.planning.nodes if n.step == 1 and n.group in ("A", "R")]
    lines = [
        *_packed(
            "learning world", [_depends(n) for n in shown.learning.nodes if n.step == 1], width
        ),
        *_packed("planning world", [f"the same without {' and '.join(gone)}, and with R"], width),
        *_packed("", [_depends(node) for node in changed], width),
    ]
    incentives = shown.incentives()
    lines += ["incentives to move what the button reads"] if incentives else []
    for field, (factual, planned) in incentives.items():
        for name, incentive in ((FACTUAL, factual), (INTERLOCKED, planned)):
            head = f"{name}, {field}"
            ways = [" -> ".join(path) for path in incentive.paths]
            lines += _packed(head, [incentive.kind, *ways], width)
    return lines


def _packed(head: str, parts: Sequence[str], width: int) -> list[str]:
    """The parts behind a head, as many on a line as there is room for."""
    lines, line = [], f"{head:<{INDENT}}"
    for part in parts:
        if len(line) + len(part) > width and len(line) > INDENT:
            lines.append(line.rstrip())
            line = " " * INDENT
        line += f"{' ' * 3 * (len(line) > INDENT)}{part}"
    return [*lines, line.rstrip()]


def sweep_lines(swept: Sweep) -> list[str]:
    """A sweep as lines; of many points some, evenly spread."""
    figures = sweep_figures(swept)
    step = max(1, math.ceil((len(swept.points) - 1) / (MOST_POINTS - 1)))
    some = [*swept.points[:-1:step], swept.points[-1]]
    rows = [
        (
            cell(point.x),
            *(words.number(settled(v), 5) for v in point.pull),
            *point.first,
            *(words.number(v, 5) for v in point.attains),
        )
        for point in some
    ]
    both = (FACTUAL, INTERLOCKED)
    kinds = ("pull", "does", "gets")
    heads = (swept.name, *(f"{who} {what}" for what in kinds for who in both))
    wide = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [f"{swept.name} swept. pull: {pull_of(swept).lower()}, utility; gets: true return."]
    for row in (heads, *rows):
        lines.append("  ".join(text.rjust(size) for text, size in zip(row, wide, strict=True)))
    return [*lines, *(f"{figure.title}: {figure.finding}" for figure in figures)]


def _table(found: Comparison, names: Sequence[str], width: int) -> Table:
    """Widths are given: what is asked of rich with minima it may cut off at the edge."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    table.add_column("", width=QUESTION, overflow="fold")
    for name in names:
        table.add_column(name, width=_answer(width, len(names)), overflow="fold")
    table.add_column("", style="dim", width=REMARK, overflow="fold")
    group = ""
    for row in rows(found):
        if row.group != group:
            table.add_row(Text(row.group, "bold"), *[""] * (len(names) + 1))
            group = row.group
        told = _why(row) or row.unit
        table.add_row(f"{'    ' if row.part else '  '}{row.name}", *cells(row), told)
    return table


def _answer(width: int, agents: int) -> int:
    """The width that is left for each agent's answers."""
    return (width - QUESTION - REMARK - GAP * (agents + 2)) // agents


def _why(row: Row) -> str:
    """Why nobody has an answer; the page says how to read the answers that there are."""
    return row.note if all(value is None for value in row.cells) else ""


def _depends(node: Any) -> str:
    told = []
    for parent in node.parents:
        base, _, step = parent.rpartition("[")
        step = int(step.removesuffix("]")) - node.step
        told.append(base + ("'" if step > 0 else "-" if step < 0 else ""))
    return f"{node.group} <- {', '.join(told) or 'nothing'}"
