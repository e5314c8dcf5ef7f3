"""What the kinds of figure share: the frame, series by colour and shape, lines across, labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lets_plot import (
    element_blank,
    element_line,
    element_rect,
    element_text,
    geom_hline,
    geom_text,
    geom_vline,
    ggsize,
    scale_color_manual,
    scale_fill_manual,
    scale_linetype_manual,
    scale_shape_manual,
    theme,
)

from freezetag.report.palette import LIGHT, SERIES
from freezetag.report.svg import FigureError, legible

Columns = Mapping[str, Sequence[Any]]
Labels = Mapping[str, str]
WIDTH = 640
INK, SOFT, GRID, AXIS, PAPER = (LIGHT[name] for name in ("ink", "soft", "grid", "axis", "paper"))
HARM, WASH = LIGHT["harm"], LIGHT["wash"]
COLOURS = [LIGHT[name] for name in SERIES]
SHAPES = [16, 15, 17, 18, 1, 0]
DASHES = ["solid", "dashed", "dotted", "dotdash", "longdash", "twodash"]


def frame(height: int, *, grid: str = "x", legend: bool = False) -> Any:
    """A quiet frame of `height` pixels: grid lines across one axis, everything else blank."""
    line, none = element_line(color=GRID, size=0.7), element_blank()
    text = element_text(color=INK, size=12)
    return theme(
        plot_background=none,
        panel_background=none,
        legend_background=none,
        legend_key=none,
        panel_border=none,
        panel_grid_minor=none,
        panel_grid_major_x=line if "x" in grid else none,
        panel_grid_major_y=line if "y" in grid else none,
        axis_line=none,
        axis_ticks=none,
        axis_text=text,
        axis_title=element_text(color=SOFT, size=12),
        strip_background=element_rect(blank=True),
        legend_position="top" if legend else "none",
        legend_title=none,
        legend_text=text,
        text=text,
    ) + ggsize(WIDTH, height)


def is_number(value: Any) -> bool:
    """A finite number: what can have a place in a plot."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def rows(columns: Columns, *needed: str) -> list[int]:
    """Indices of the rows whose `needed` columns are all finite numbers."""
    first = next(iter(columns.values()))
    return [
        i
        for i in range(len(first))
        if all(name in columns and is_number(columns[name][i]) for name in needed)
    ]


def take(columns: Columns, keep: Sequence[int], *names: str) -> dict[str, list[Any]]:
    """The named columns of some rows."""
    return {name: [columns[name][i] for i in keep] for name in names}


def names(values: Sequence[Any], longest: int = 28) -> list[str]:
    """Labels for rows, short and all different: a name met again gets a number."""
    seen: dict[str, int] = {}
    result = []
    for value in values:
        text = legible(value, longest)
        seen[text] = seen.get(text, 0) + 1
        result.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return result


def series_of(columns: Columns) -> tuple[list[str], list[str]]:
    """(series of each row, their different names in order); one nameless series by default."""
    if "series" not in columns:
        return [""] * len(next(iter(columns.values()))), [""]
    raw = [str(value) for value in columns["series"]]
    shown = dict(zip(dict.fromkeys(raw), names(list(dict.fromkeys(raw))), strict=True))
    each, different = [shown[value] for value in raw], list(shown.values())
    if len(different) > len(COLOURS):
        raise FigureError(f"at most {len(COLOURS)} series can be told apart, got {len(different)}.")
    return each, different


def by_series(different: Sequence[str]) -> Any:
    """Colour, fill, shape and dash of the series, in their order."""
    limits = list(different)
    count = len(limits)
    return (
        scale_color_manual(values=COLOURS[:count], limits=limits)
        + scale_fill_manual(values=COLOURS[:count], limits=limits)
        + scale_shape_manual(values=SHAPES[:count], limits=limits)
        + scale_linetype_manual(values=DASHES[:count], limits=limits)
    )


def joined(keys: Sequence[str], keep: Sequence[int]) -> list[int]:
    """Those of the rows that share their key with another: a lone point has no line."""
    count = Counter(keys[i] for i in keep)
    return [i for i in keep if count[keys[i]] > 1]


def constant(columns: Columns, name: str) -> float | None:
    """The one number of a column such as `limit`, or None."""
    found = {value for value in columns.get(name, ()) if is_number(value)}
    if len(found) > 1:
        raise FigureError(f"column {name} must be one number in every row, got {sorted(found)}.")
    return found.pop() if found else None


def lines_across(columns: Columns, *, vertical: bool) -> Any:
    """The lines `limit` (dashed, in the colour of harm) and `reference` (dotted), as layers."""
    layers: Any = None
    for name, colour, dash in (("limit", HARM, "dashed"), ("reference", SOFT, "dotted")):
        at = constant(columns, name)
        if at is None:
            continue
        line = (
            geom_vline(xintercept=at, color=colour, linetype=dash, size=0.9)
            if vertical
            else geom_hline(yintercept=at, color=colour, linetype=dash, size=0.9)
        )
        layers = line if layers is None else layers + line
    return layers


def line_names(columns: Columns, labels: Labels) -> str:
    """What the lines across are, for an axis title: "dashed: limit, dotted: class of 1"."""
    parts = [
        f"{dash}: {labels.get(name, name)}"
        for name, dash in (("limit", "dashed"), ("reference", "dotted"))
        if constant(columns, name) is not None
    ]
    return ", ".join(parts)


def axis_title(text: str, columns: Columns, labels: Labels) -> str:
    """An axis title with the names of the lines across behind it."""
    return " · ".join(part for part in (text, line_names(columns, labels)) if part)


def note(x: float, y: float, text: str, *, hjust: float = 0.5, vjust: float = 0.5) -> Any:
    """A word in the plot."""
    return geom_text(x=x, y=y, label=text, hjust=hjust, vjust=vjust, color=SOFT, size=4.6)
