"""A comparison in a terminal: a line a row, what changed, and what the verdicts were."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from freezetag.report import words
from freezetag.report.compare import Comparison, Difference
from freezetag.report.terminal import NARROW, PIPED


def print_comparison(
    comparison: Comparison,
    file: IO[str] | None = None,
    *,
    width: int | None = None,
    every: bool = False,
) -> None:
    """Print the headlines, or `every` measurement that both runs have."""
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    if width is None and not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED
    cards = (comparison.first, comparison.second)
    names = [
        words.plain(f"{card.agent}, {place}" if place else card.agent)
        for card, place in zip(cards, comparison.places, strict=True)
    ]
    console.print(Text(f"first: {names[0]}   second: {names[1]}"), soft_wrap=True)
    shown = [d for d in comparison.differences if d.headline or every]
    if console.width < NARROW:
        for d in shown:
            console.print(Text("\n".join(f"{k}: {v}" for k, v in _cells(d).items()) + "\n"))
    elif shown:
        console.print(_table(shown))
    else:
        console.print(Text("no measurement is in both runs."))
    for which, only in (("first", comparison.only_first), ("second", comparison.only_second)):
        if only:
            text = f"only in the {which}: {'; '.join(map(words.plain, only))}"
            console.print(Text(text), soft_wrap=True)
    for note in comparison.notes:
        console.print(Text(f"note: {words.plain(note)}"), soft_wrap=True)


def _table(shown: list[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in _cells(shown[0]):
        table.add_column(name, justify="right" if name in ("first", "second") else "left")
    for d in shown:
        table.add_row(*map(Text, _cells(d).values()))
    return table


def _cells(d: Difference) -> dict[str, str]:
    name = words.title(d.probe) if d.headline else f"  {words.plain(d.name)}"
    before, after = (f"{verdict} {words.SIGNS[verdict]}" for verdict in d.verdicts)
    return {
        "check": f"{name} in {words.plain(d.world)}",
        "unit": words.plain(d.unit),
        "first": words.value(d.first),
        "second": words.value(d.second),
        "change [95 %]": words.interval(d.change, change=True),
        "verdict": before if before == after else f"{before} → {after}",
    }
