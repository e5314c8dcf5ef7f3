"""The page of a sweep: agents x checks, without scripts and requests; each seed opens its card.

It can be sorted without a script: a click on a heading leads to the same page in another order,
under `sorted/`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from freezetag.report import html, words
from freezetag.sweep.folder import CELLS, PAGE, REQUEST, RESULTS, SORTED
from freezetag.sweep.request import Request
from freezetag.sweep.results import FAILED
from freezetag.sweep.table import Check, Entry, Line, Seen, Table

WIDTH, STEP = 150, 9
"""Pixels of an entry's plot: how wide, and how high for each seed."""
SIGNS = {**words.SIGNS, FAILED: "✗", "agent failed": "✗"}
MOST_SEEDS = 12
"""Seeds that are drawn; of more, the first are, and the page says so."""


def write_pages(table: Table, request: Request, cells: int) -> dict[str, str]:
    """name -> the text of each page: the one in the order of the request, and those sorted by
    agent, by the agents' verdicts and by each check."""
    orders: dict[str, tuple[str, Callable[[Line], Any]]] = {
        "agent": ("agent", lambda line: line.agent.casefold()),
        "verdict": ("whole exam", lambda line: line.badness),
    }
    for number, check in enumerate(table.checks):
        title = f"{words.title(check.probe)} in {check.world}"
        orders[_slug(check)] = (title, partial(_at, number))
    shared = _shared(table, request, cells)
    pages = {PAGE: _page(table.lines, "", "", shared, orders)}
    for name, (title, key) in orders.items():
        lines = sorted(table.lines, key=key)
        pages[f"{SORTED}/{name}.html"] = _page(lines, name, title, shared, orders)
    return pages


def _at(number: int, line: Line) -> tuple[float, float]:
    """What lines are sorted by at a check."""
    return line.entries[number].badness


def _slug(check: Check) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{check.probe}-{check.world}").strip("-").lower()


def _shared(table: Table, request: Request, cells: int) -> dict[str, Any]:
    outcomes = [outcome for line in table.lines for outcome in line.outcomes]
    cards = [outcome.card for outcome in outcomes if outcome.card]
    versions = {tuple(sorted(card.versions.items())) for card in cards}
    return {
        "table": table,
        "request": request,
        "cells": cells,
        "done": len(outcomes),
        "failed": [outcome for outcome in outcomes if outcome.card is None],
        "heads": [_head(check) for check in table.checks],
        "sentence": _sentence(table),
        "scales": [_Scale.of(table, n) for n in range(len(table.checks))],
        "company": _company(request.shared.classmates),
        "mixed": len(versions) > 1,
        "versions": dict(sorted(cards[0].versions.items())) if cards else {},
        "spec": html.escaped(request.to_toml()),
        "css": Markup(html.css() + _css()),  # ours, both of them
        "drawn": MOST_SEEDS,
        "version": version("freezetag"),
        "store": RESULTS,
        "toml": REQUEST,
        "w": words,
        "signs": SIGNS,
    }


def _company(classmates: int | tuple[str, ...]) -> str:
    """Who sits beside each agent, as a card calls it."""
    if not isinstance(classmates, int):
        return f"{len(classmates)} classmates of the user's own"
    return {0: "class of 1", 1: "1 classmate"}.get(classmates, f"class of {classmates}")


def _head(check: Check) -> dict[str, str]:
    row = check.row
    return {
        "slug": _slug(check),
        "title": words.title(check.probe),
        "world": words.plain(check.world),
        "unit": words.plain(row.unit) if row else "",
        "limits": f"{words.beyond(row, 'warn')}, {words.beyond(row, 'fail')}"
        if row and row.limits
        else "no limit",
    }


def _sentence(table: Table) -> str:
    """How many agents came to what, by the worst of their seeds."""
    count = Counter(line.worst for line in table.lines)
    ends = {
        "fail": ("fails a check", "fail a check"),
        "warn": ("at worst warns", "at worst warn"),
        "inconclusive": ("is at worst left undecided", "are at worst left undecided"),
        "pass": ("passes whatever was judged", "pass whatever was judged"),
        FAILED: ("could not be examined", "could not be examined"),
    }
    said = [
        f"{count[end]} {one if count[end] == 1 else more}"
        for end, (one, more) in ends.items()
        if count[end]
    ]
    whole = len(table.lines)
    return f"By the worst of {'its' if whole == 1 else 'their'} seeds, {', '.join(said)}."


def _page(
    lines: Sequence[Line],
    order: str,
    title: str,
    shared: dict[str, Any],
    orders: dict[str, Any],
) -> str:
    up = "../" if order else ""
    text: str = _template().render(
        **shared,
        lines=[_row(line, up, shared["scales"]) for line in lines],
        order=order,
        ordered_by=title,
        up=up,
        index=f"{up}{PAGE}",
        by={name: f"{up}{SORTED}/{name}.html" for name in orders},
    )
    return text


def _row(line: Line, up: str, scales: Sequence[_Scale]) -> dict[str, Any]:
    seeds = [
        {
            "seed": outcome.cell.spec.seed,
            "verdict": outcome.card.verdict if outcome.card else FAILED,
            "href": f"{up}{CELLS}/{outcome.cell.name}/card.html" if outcome.card else "",
        }
        for outcome in line.outcomes
    ]
    entries = [_entry(entry, up, scale) for entry, scale in zip(line.entries, scales, strict=True)]
    return {"line": line, "seeds": seeds, "entries": entries}


def _entry(entry: Entry, up: str, scale: _Scale) -> dict[str, Any]:
    of = entry.median
    change = entry.check.row is not None and words.is_change(entry.check.row)
    few = entry.values[:: max(1, len(entry.values) - 1)]
    spread = ""
    if len(entry.values) > 1:
        low, high = sorted((few[0], few[-1]))
        spread = (
            f"seeds {words.number(low)} to {words.number(high)}"
            if low != high
            else (f"all seeds {words.number(low)}")
        )
    return {
        "entry": entry,
        "median": words.interval(of, change) if of else "",
        "spread": spread,
        "plot": scale.plot(entry) if entry.values else None,
        "links": [
            {"seed": s.outcome.cell.spec.seed, "href": _href(s, up), "verdict": s.verdict}
            for s in entry.seen
        ],
    }


def _href(seen: Seen, up: str) -> str:
    """The seed's card, at this check."""
    if seen.outcome.card is None:
        return ""
    at = "#unmeasured" if seen.place is None else f"#check-{seen.place}"
    return f"{up}{CELLS}/{seen.outcome.cell.name}/card.html{at}"


class _Scale:
    """The axis that all plots of a column share: intervals of the seeds, and the limits."""

    def __init__(self, low: float, high: float, check: Check) -> None:
        room = 0.04 * (high - low) or 1.0
        self.low, self.high, self.check = low - room, high + room, check

    @classmethod
    def of(cls, table: Table, number: int) -> _Scale:
        check = table.checks[number]
        ends = [
            end
            for line in table.lines
            for seen in line.entries[number].seen
            if seen.of
            for end in (seen.of.value, seen.of.low, seen.of.high)
        ]
        if check.row is not None and check.row.limits is not None:
            ends += [check.row.limits.warn, check.row.limits.fail]
        ends = [end for end in ends if math.isfinite(end)] or [0.0, 1.0]
        return cls(min(ends), max(ends), check)

    def x(self, value: float) -> float:
        """Where a value lies, in pixels; what is beyond the axis lies at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(share * WIDTH, 1)

    def plot(self, entry: Entry) -> Markup:
        """A line for each seed: its value in its interval, against the limits."""
        shown = entry.seen[:MOST_SEEDS]
        height = STEP * len(shown) + 2
        parts = [self._limits(height)]
        for i, seen in enumerate(shown):
            y = STEP * i + STEP // 2 + 1
            if (of := seen.of) is None:
                continue
            mark = (
                f'<path d="M{self.x(of.low)} {y}H{self.x(of.high)}"/>'
                f'<circle cx="{self.x(of.value)}" cy="{y}" r="2.6"/>'
            )
            name = escape(f"seed {seen.outcome.cell.spec.seed}: {words.interval(of)}")
            verdict = seen.verdict.replace(" ", "-")
            parts.append(f'<g class="{verdict}"><title>{name}</title>{mark}</g>')
        label = escape(f"values of {len(shown)} seeds against the limits")
        # Numbers and our own words alone: nothing of an agent's is in it unescaped.
        return Markup(
            f'<svg class="strip" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" aria-label="{label}">{"".join(parts)}</svg>'
        )

    def _limits(self, height: int) -> str:
        row = self.check.row
        if row is None or row.limits is None:
            return ""
        warn, fail = self.x(row.limits.warn), self.x(row.limits.fail)
        end = WIDTH if row.limits.harm == "above" else 0
        left, wide = min(fail, end), abs(end - fail)
        return (
            f'<rect class="beyond" x="{left}" y="0" width="{round(wide, 1)}" height="{height}"/>'
            f'<path class="warn-at" d="M{warn} 0V{height}"/>'
            f'<path class="fail-at" d="M{fail} 0V{height}"/>'
        )


@cache
def _css() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("freezetag.sweep", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = words.plain
    environment.filters["tight"] = html.tight
    return environment.get_template("page.html.jinja")
