"""The two worlds in a terminal: what depends on what, and the table, in 100 columns."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from freezetag.core import Diagram
from freezetag.core.incentives import ButtonIncentive
from freezetag.planning.compare_prices import settled
from freezetag.planning.compared import FACTUAL, INTERLOCKED, Comparison, Row
from freezetag.planning.sweep import Sweep
from freezetag.report import words
from freezetag.report.plan_words import cell, fitted_told, sentence, settings_told

PIPED, NARROW = 100, 80
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
    say(Text(words.plain(title), "bold"), f"  {settings_told(found)}", soft_wrap=True)
    say(f"  fitted: {fitted_told(found)}", soft_wrap=True)
    for agent in found.agents:
        say(f"  {agent.name}: {agent.told}", soft_wrap=True)
    say()
    for line in worlds(found):
        say(line, soft_wrap=True)
    say()
    names = [agent.name for agent in found.agents]
    if width < NARROW:
        for row in found.rows:
            say(f"{row.name.strip()} [{row.group}]{f', {row.unit}' if row.unit else ''}")
            for name, shown in zip(names, row.cells, strict=True):
                say(f"  {name}: {cell(shown)}")
            if note := _why(row):
                say(f"  {note}")
    else:
        say(_table(found, names))
    if swept is not None:
        say()
        for line in sweep_lines(swept):
            say(line, soft_wrap=True)
    say(Text(words.plain(sentence(found)), "bold"), soft_wrap=True)


def worlds(found: Comparison) -> list[str]:
    """The diagrams as lines: what each node of a step depends on, and the routes that pay."""
    shown = found.diagrams
    lines = ["learning world     " + _edges(shown.learning)]
    gone = [n.group for n in shown.learning.nodes if n.step == 1 and n.name not in shown.planning]
    lines.append(f"planning world     the same without {' and '.join(gone)}, and with a reward")
    changed = [n for n in shown.planning.nodes if n.step == 1 and n.group in ("A", "R")]
    lines.append("                   " + "   ".join(_depends(node) for node in changed))
    for field, (factual, planned) in shown.incentives().items():
        for name, incentive in ((FACTUAL, factual), (INTERLOCKED, planned)):
            lines.append(f"{name:<5}to move {field}: {incentive.kind}{_routes(incentive)}")
    return lines


def sweep_lines(swept: Sweep) -> list[str]:
    """A sweep as lines; of many points some, evenly spread."""
    figures = swept.figures()
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
    lines = [f"{swept.name} swept. pull: {swept.pull.lower()}, utility; gets: true return."]
    for row in (heads, *rows):
        lines.append("  ".join(text.rjust(size) for text, size in zip(row, wide, strict=True)))
    return [*lines, *(f"{figure.title}: {figure.finding}" for figure in figures)]


def _table(found: Comparison, names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", min_width=26, overflow="fold")
    for name in names:
        table.add_column(name, min_width=9, overflow="fold")
    table.add_column("", style="dim", overflow="fold", ratio=1)
    group = ""
    for row in found.rows:
        if row.group != group:
            table.add_row(Text(row.group, "bold"), *[""] * (len(names) + 1))
            group = row.group
        told = _why(row) or row.unit
        table.add_row(f"  {row.name}", *(cell(value) for value in row.cells), told)
    return table


def _why(row: Row) -> str:
    """Why nobody has an answer; the page says how to read the answers that there are."""
    return row.note if all(value is None for value in row.cells) else ""


def _edges(diagram: Diagram) -> str:
    """`A <- O, button, M` for each node of step 1: what is the same in every step."""
    return "   ".join(_depends(node) for node in diagram.nodes if node.step == 1)


def _depends(node: Any) -> str:
    told = []
    for parent in node.parents:
        base, _, step = parent.rpartition("[")
        step = int(step.removesuffix("]")) - node.step
        told.append(base + ("'" if step > 0 else "-" if step < 0 else ""))
    return f"{node.group} <- {', '.join(told) or 'nothing'}"


def _routes(incentive: ButtonIncentive) -> str:
    return "".join(f"   {' -> '.join(path)}" for path in incentive.paths)
