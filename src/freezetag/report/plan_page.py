"""The comparison of the two worlds as one self-contained HTML page, and as JSON.

As for the card: no scripts, no requests, light, dark and on paper; all text is escaped, and
nothing is marked safe but our own drawings and style sheet.
"""

from __future__ import annotations

import itertools
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from freezetag.core import RunError, UserError
from freezetag.planning.prices.priced import settings_of, texts_of
from freezetag.planning.prices.race_thresholds import UnluckyWindow
from freezetag.report import diagram, html
from freezetag.report.numbers import encode_free
from freezetag.report.plan_figures import figures, pull_of, sweep_figures
from freezetag.report.plan_rows import Cell, rows
from freezetag.report.plan_words import (
    cells,
    expansions,
    fitted_told,
    paragraph,
    routes,
    sentence,
    settings_told,
    sweep_cells,
    sweep_heads,
)
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED
from freezetag.two_worlds.comparison import Comparison
from freezetag.two_worlds.sweep import Sweep

FOLDER = Path("runs")
CAPTIONS = (
    f"{FACTUAL} plans in the learning world, with its reward",
    f"{INTERLOCKED} plans in the same without M and O",
)
LIMITS = """
Both agents are told the true model of a small world. What a learned model may get wrong is shown
in three named mistakes only; there are others.
---
No direct incentive is not safety: an incentive round the mode (from the reward, from people who
react) is left as it is, and a race that is worth it is run.
---
The arrows say what may matter, the prices how much. Neither says that a built agent plans in the
world that its designers drew.
---
Where the best actions tie, an agent is shown with the first of them.
"""
SOURCES = """
K. Holtman, Creating AGI Safety Interlocks (2021): the two worlds, the three interlocks, the
failure modes. Its formulas are reconstructed here from its words.
---
T. Everitt and others, Agent Incentives: A Causal Perspective (AAAI 2021): incentives read off the
paths of a diagram.
"""


def page(found: Comparison, swept: Sweep | None, name: str, command: str) -> str:
    """The whole page as text. `command` is what makes it again."""
    shown = found.diagrams
    incentives = shown.incentives()
    paths = [p for pair in incentives.values() for incentive in pair for p in incentive.paths]
    drawing = diagram.svg(
        dict(zip(CAPTIONS, (shown.factual, shown.planning), strict=True)),
        f"{name}: the two worlds",
        highlight=list(dict.fromkeys(paths)),
    )
    groups = [
        (group, list(members))
        for group, members in itertools.groupby(rows(found), lambda row: row.group)
    ]
    text: str = html.template("plan").render(
        name=name,
        css=Markup(html.css()),
        sentence=sentence(found),
        settings=settings_told(found) or "none",
        fitted=fitted_told(found),
        found=found,
        diagram=Markup(drawing),
        routes=routes(found),
        nodes=[
            (
                node.name,
                _parents(node.parents),
                _parents(shown.planning[node.name].parents)
                if node.name in shown.planning
                else "not in this world",
            )
            for node in shown.factual.nodes
        ],
        groups=groups,
        cells=cells,
        expansions=expansions(),
        swept=swept,
        moved=[html.drawn(figure) for figure in (sweep_figures(swept) if swept else ())],
        heads=sweep_heads(swept) if swept else (),
        points=[sweep_cells(point) for point in swept.points] if swept else [],
        figures=[html.drawn(figure) for figure in figures(found)],
        limits=[*LIMITS.split("---"), *paragraph(found.world, "Caveat")],
        sources=[*SOURCES.split("---"), *paragraph(found.world, "Source")],
        command=command,
        version=version("freezetag"),
    )
    return text


def as_json(found: Comparison, swept: Sweep | None, name: str) -> dict[str, Any]:
    """Everything that the page shows, as data."""
    shown = found.diagrams
    names = [agent.name for agent in found.agents]
    data = {
        "name": name,
        "settings": {**settings_of(found.world), **texts_of(found.world)},
        "fitted": {"runtime": found.fitted.t_max, "power_limit": found.fitted.u_max},
        "agents": [
            {"name": a.name, "about": a.about, "best": sorted(a.best), "expects": a.expects}
            for a in found.agents
        ],
        "rows": [
            {
                "group": row.group,
                "name": row.name,
                "unit": row.unit,
                "note": row.note,
                "cells": dict(zip(names, map(_bare, row.cells), strict=True)),
            }
            for row in rows(found)
        ],
        "diagrams": {
            kind: [list(edge) for edge in drawn.edges]
            for kind, drawn in (
                ("learning", shown.learning),
                ("factual", shown.factual),
                ("planning", shown.planning),
            )
        },
        "incentives": {
            field: {
                who: {"kind": i.kind, "paths": i.paths}
                for who, i in zip((FACTUAL, INTERLOCKED), pair, strict=True)
            }
            for field, pair in shown.incentives().items()
        },
        "figures": [{"title": f.title, "columns": f.columns} for f in figures(found)],
    }
    if swept is not None:
        data["sweep"] = {
            "setting": swept.name,
            "pull": pull_of(swept),
            "points": [point._asdict() for point in swept.points],
        }
    encoded: dict[str, Any] = encode_free(data)
    return encoded


def free(out: Path | None, world: str) -> Path:
    """Where the page goes: `out`, or the next free name. Raises `UserError` for what exists."""
    if out is None:
        names = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
        return next(
            file for end in names if not (file := FOLDER / f"plan-{world}{end}.html").exists()
        )
    if out.exists():
        raise UserError(f"{out} exists already and is not overwritten. Choose another name.")
    return out


def write(target: Path, text: str) -> None:
    """Write a page; its folder is made. Raises `RunError`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}.") from None


def _bare(value: Cell) -> Any:
    """A cell as data: a window is its two ends, or none where it is empty."""
    if isinstance(value, UnluckyWindow):
        return [] if value.empty else [value.low, value.high]
    return value


def _parents(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
