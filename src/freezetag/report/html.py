"""The card as one self-contained HTML file: no scripts, no requests, light, dark and on paper.

Text from agents is hostile: Jinja2 escapes all of it, and nothing is marked safe but the SVG that
`svg` lets through and our own style sheet.
"""

from __future__ import annotations

import html as escaping
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from freezetag.core import Figure, ReportCard, Section
from freezetag.core.probe import PASS
from freezetag.report import palette, signature, svg, toml, words
from freezetag.report.schema import results_hash

LARGEST = 3_000_000
"""Bytes. A card past it is written again with shorter data tables."""
TABLE_ROWS = (400, 40, 5)


@dataclass(frozen=True)
class Drawn:
    """A figure for the page: its SVG, or why there is none, and its data as a table."""

    figure: Figure
    drawing: Markup | None
    problem: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


def write_html(card: ReportCard) -> str:
    """The whole page as text."""
    text = ""
    for longest in TABLE_ROWS:
        text = _page(card, longest)
        if len(text.encode()) <= LARGEST:
            break
    return text


def embed(card: ReportCard, height: int = 900) -> str:
    """The page in a frame, for a notebook: it keeps its own styles and its own policy."""
    page = escaping.escape(write_html(card), quote=True)
    return (
        f'<iframe title="freezetag report card" sandbox srcdoc="{page}" '
        f'style="width:100%;height:{height}px;border:0"></iframe>'
    )


def _page(card: ReportCard, longest: int) -> str:
    chosen = signature.dose(card)
    top = [signature.signature(card), chosen[1] if chosen else None]
    moved = chosen[1] if chosen else None
    sections = [
        {
            "section": section,
            "id": f"check-{i}",
            "open": section.verdict != PASS and section.judged,
            "figures": [
                drawn(figure, longest) for figure in section.figures if figure is not moved
            ],
            "advice": advice(section),
            "notes": notes(section),
        }
        for i, section in enumerate(card.shown)
    ]
    by_theme = {
        theme: [
            item
            for section, item in zip(card.shown, sections, strict=True)
            if section.theme == theme
        ]
        for theme in card.themes
    }
    the_map = signature.interaction_map(card)
    page: str = template("card").render(
        card=card,
        hash=results_hash(card),
        css=Markup(css()),
        top=[drawn(figure, longest) for figure in top if figure],
        dose_of=chosen[0] if chosen else None,
        leads=_leads(sections),
        sections=sections,
        themes=by_theme,
        missing=list(zip(words.missing(card), card.unmeasured.values(), strict=True)),
        interaction=drawn(the_map, longest) if the_map else None,
        spec=escaped(toml.dumps(card.spec)),
        run=sorted((str(key), _cell(value)) for key, value in card.run.items()),
        arms=words.arms(card),
        w=words,
    )
    return page


def _leads(sections: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What a reader turns to first, the worst before: (verdict, the sections that have it)."""
    return [
        (verdict, those)
        for verdict in ("fail", "warn", "inconclusive")
        if (those := [item for item in sections if item["section"].verdict == verdict])
    ]


def escaped(text: str) -> str:
    """TOML with what acts on a screen written as TOML's own escapes, so that it can be copied."""
    return "\n".join(
        "".join(
            letter if words.plain(letter) == letter else f"\\U{ord(letter):08X}" for letter in line
        )
        for line in text.split("\n")
    )


def drawn(figure: Figure, longest: int = TABLE_ROWS[0]) -> Drawn:
    """The figure drawn; where it cannot be, the problem in words, and its data all the same."""
    try:
        # The one place where markup is trusted: `svg` lets known elements through only.
        drawing, problem = Markup(svg.draw(figure)), ""
    except svg.FigureError as error:
        drawing, problem = None, str(error)
    heads, rows = _matrix(figure) if figure.kind == "heatmap" else _table(figure)
    shown = tuple(rows[:longest])
    return Drawn(figure, drawing, problem, heads, shown, len(rows) - len(shown))


def _table(figure: Figure) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    columns = [list(column) for column in figure.columns.values()]
    longest = max((len(column) for column in columns), default=0)
    rows = [
        tuple(_cell(column[i]) if i < len(column) else "" for column in columns)
        for i in range(longest)
    ]
    return tuple(figure.columns), rows


def _matrix(figure: Figure) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A map as a table with one line per row of the map."""
    if not {"row", "column", "value"} <= set(figure.columns):
        return _table(figure)
    cells = list(
        zip(*(map(_cell, figure.columns[key]) for key in ("row", "column", "value")), strict=False)
    )
    across = list(dict.fromkeys(column for _, column, _ in cells))
    lines: dict[str, dict[str, str]] = {}
    for row, column, value in cells:
        lines.setdefault(row, {})[column] = value
    rows = [(row, *(line.get(column, "") for column in across)) for row, line in lines.items()]
    return ("", *across), rows


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return words.number(value, 4)
    return words.plain(value)


def tight(text: str) -> str:
    """A pair of bounds does not break between its numbers, nor a limit after its sign."""
    for loose in (", ", "< ", "> ", "s <", "s >"):
        text = text.replace(loose, loose.replace(" ", "\u00a0"))
    return text


def advice(section: Section) -> list[tuple[str, str]]:
    """(measurement, what can be done) for every row that failed or warned."""
    return [
        (row.name, row.advice or "No advice is recorded; see the source for what moves it.")
        for row in section.measurements
        if words.verdict(section, row) in ("fail", "warn")
    ]


def notes(section: Section) -> list[str]:
    """What the rows assume: regime, the limit's reason, kind of bound, notes; each once."""

    def each() -> Iterator[str]:
        for row in section.measurements:
            if row.regime:
                yield f"Measured with {row.regime}."
            if row.limits and row.limits.reason:
                yield f"Limit of {row.name}: {row.limits.reason}."
            if said := words.bound(row):
                yield f"{row.name} is {said}."
            for note in (row.note, row.of.note):
                if note:
                    yield f"{row.name}: {note}."

    return list(dict.fromkeys(each()))


@cache
def template(name: str) -> Any:
    """A page's template, beside this file: escapes all, and knows `plain` and `tight`."""
    environment = Environment(
        loader=PackageLoader("freezetag.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = words.plain
    environment.filters["tight"] = tight
    return environment.get_template(f"{name}.html.jinja")


@cache
def css() -> str:
    rules = Path(__file__).with_name("card.css").read_text(encoding="utf-8")
    light, dark = (palette.declarations(scheme) for scheme in (palette.LIGHT, palette.DARK))
    return (
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}"
    )
