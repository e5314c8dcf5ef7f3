"""The card as a table in a terminal; `key: value` lines where it is narrow.

Verdicts are a word and a sign, never colour alone. Text from agents is shown as plain text:
control characters are replaced, and no markup is read in it.
"""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from freezetag.core import Measurement, ReportCard, Section
from freezetag.report import words

NARROW, ROOMY, PIPED = 80, 110, 100
JUDGED = "judged [95 %]"
Rows = list[tuple[Section, Measurement | None]]
STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "inconclusive": "cyan"}


def print_card(
    card: ReportCard, file: IO[str] | None = None, *, width: int | None = None, every: bool = False
) -> None:
    """Print the card: headlines only, or `every` measurement.

    `file` is stdout by default. Colour follows rich's rules: none when piped, none with NO_COLOR.
    """
    console = console_of(file, width)
    ascii_only = not can_write(console, "✓✗−≤")
    # What was judged leads; what no limit judges has a line, or with `every` its rows.
    leading = [section for section in card.shown if section.judged or every]
    rows = [(section, row) for section in leading for row in _rows(section, every)]
    if rows and console.width < NARROW:
        for line in _lines(rows, words.arms(card), ascii_only):
            console.print(line, soft_wrap=True)
    elif rows:
        console.print(_table(rows, words.arms(card), ascii_only, console.width))
    for told in () if every else words.measured_only(card):
        console.print(as_text(told, ascii_only), soft_wrap=True)
    for (what, reason), sections in zip(words.missing(card), card.unmeasured.values(), strict=True):
        style = STYLES["fail"] if sections[0].error else ""
        console.print(Text(f"{what}: {reason}", style=style), soft_wrap=True)
    for section in card.judged:
        if why := words.undecided(section):
            where = f"{words.title(section.probe)} ({section.world})"
            console.print(as_text(f"inconclusive: {where}: {why}", ascii_only), soft_wrap=True)
    for warning in card.warnings:
        console.print(as_text(f"note: {warning}", ascii_only), soft_wrap=True)
    console.print(as_text(card.sentence, ascii_only), soft_wrap=True, style="bold")


def console_of(file: IO[str] | None = None, width: int | None = None) -> Console:
    """Where results are printed: no markup is read in them; a pipe is 100 wide unless COLUMNS
    says otherwise."""
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    if width is None and not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED  # a log file has no width: one line a row can be searched
    return console


def _rows(section: Section, every: bool) -> list[Measurement | None]:
    if every:
        return list(section.measurements)
    return [section.headline]


def _table(rows: Rows, arms: tuple[str, ...], ascii_only: bool, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("probe", min_width=24 if width >= ROOMY else 12, overflow="fold")
    for name in (*arms, JUDGED, "n", "limits"):
        table.add_column(name, justify="right", no_wrap=name != JUDGED)
    # The longest verdict there is, so that a wide interval wraps and a verdict is never cut.
    longest = max((len(_verdict(_cells(*row, arms)[-1], ascii_only)) for row in rows), default=0)
    table.add_column("verdict", no_wrap=True, min_width=max(longest, len("verdict")))
    themed = len({section.theme for section, _ in rows}) > 1
    said = None
    for section, row in rows:
        if themed and section.theme != said:
            said = section.theme
            table.add_row(Text(words.theme(said).upper(), style="bold dim"))
        name, unit, *numbers, verdict = _cells(section, row, arms)
        # What is measured, and in which unit and world, stands under the name.
        label = (
            as_text(name, ascii_only).append("\n").append(as_text(unit, ascii_only).plain, "dim")
        )
        *cells, limits = (as_text(cell, ascii_only) for cell in numbers)
        # One below the other, so that a wide interval has room beside them.
        stacked = Text("\n").join(limits.split(", "))
        table.add_row(label, *cells, stacked, _verdict(verdict, ascii_only))
    return table


def _lines(rows: Rows, arms: tuple[str, ...], ascii_only: bool) -> list[Text]:
    names = ("probe", "unit", *arms, "judged", "n", "limits", "verdict")
    lines: list[Text] = []
    for section, row in rows:
        if section.theme:
            lines.append(Text(f"theme: {words.plain(section.theme)}"))
        for name, cell in zip(names, _cells(section, row, arms), strict=True):
            text = _verdict(cell, ascii_only) if name == "verdict" else as_text(cell, ascii_only)
            lines.append(Text(f"{name}: ").append_text(text))
        lines.append(Text(""))
    return lines


def _cells(section: Section, row: Measurement | None, arms: tuple[str, ...]) -> tuple[str, ...]:
    """probe, world and unit, in the arms, judged, n, limit, verdict."""
    where, unit = words.title(section.probe), words.where(section)
    if row is None:
        return (where, unit, *("–" for _ in arms), "–", "–", "–", section.verdict)
    unit = f"{unit}, {words.unit(row)}" if row.headline else f"  {words.unit(row)}"
    if not row.headline:
        where = f"  {row.name}"
    verdict = words.verdict(section, row)
    return (
        where,
        unit,
        *(words.in_arms(row, arms)),
        words.interval(row.of, change=words.is_change(row)),
        words.count(row.of.n),
        words.limit(row),
        verdict,
    )


def _verdict(verdict: str, ascii_only: bool) -> Text:
    sign = (words.PLAIN_SIGNS if ascii_only else words.SIGNS)[verdict]
    word = verdict.upper() if verdict in ("fail", "warn") else verdict
    return Text(f"{word} {sign}".strip(), style=STYLES.get(verdict, "dim"))


def as_text(said: str, ascii_only: bool) -> Text:
    """Text from outside, harmless; without signs that cannot be printed, if `ascii_only`."""
    clean = words.plain(said)
    if ascii_only:
        for sign, plain in (("−", "-"), ("–", "-"), ("≤", "<="), ("≥", ">="), ("∞", "inf")):
            clean = clean.replace(sign, plain)
        clean = clean.encode("ascii", "replace").decode()
    return Text(clean)


def can_write(console: Console, signs: str) -> bool:
    """Whether all of these signs can be printed there."""
    try:
        signs.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
