"""A map of row against column; missing cells carry a cross, so that they are not taken for values.

REQUIRED row (str), column (str), value (number or None). One data row per cell.
Rows and columns keep the order of first appearance unless labels["order"] == "value", which
sorts both by their mean (for a square map with the same names: both by the row's mean).
labels["value"] names the colour; labels["low"] and labels["high"] (numbers as text) fix its range.
"""

from __future__ import annotations

from typing import Any

from lets_plot import (
    aes,
    coord_fixed,
    element_text,
    geom_point,
    geom_tile,
    ggplot,
    ggsize,
    guide_legend,
    guides,
    scale_fill_manual,
    scale_x_continuous,
    scale_y_continuous,
    theme,
    xlab,
    ylab,
)

from freezetag.report import words
from freezetag.report.figures import _frame as f
from freezetag.report.palette import LIGHT, STEPS

REQUIRED = ("row", "column", "value")
OPTIONAL: tuple[str, ...] = ()


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot. Values are drawn in seven steps, so that a step can be read off the legend."""
    rows, across = order(columns, labels)
    data: dict[str, list[Any]] = {"x": [], "y": [], "step": []}
    empty: dict[str, list[Any]] = {"x": [], "y": []}
    values = [value for value in columns["value"] if f.is_number(value)]
    low = float(labels["low"]) if "low" in labels else min(values, default=0.0)
    high = float(labels["high"]) if "high" in labels else max(values, default=1.0)
    legend = _legend(low, high)
    given = {
        (str(row), str(column)): value
        for row, column, value in zip(
            columns["row"], columns["column"], columns["value"], strict=True
        )
    }
    for y, row in enumerate(reversed(rows)):
        for x, column in enumerate(across):
            value = given.get((row, column))
            into = data if f.is_number(value) else empty
            into["x"].append(x)
            into["y"].append(y)
            if f.is_number(value):
                data["step"].append(legend[_step(float(str(value)), low, high)])
    cell = max(11, min(34, 440 // max(len(rows), len(across))))
    long = max(len(rows), len(across)) > 8
    p = ggplot() + f.frame(300, grid="", legend=True)
    if data["x"]:
        p += geom_tile(aes("x", "y", fill="step"), data=data, color=f.PAPER, size=0.4)
    if empty["x"]:
        p += geom_point(aes("x", "y"), data=empty, shape=4, color=f.AXIS, size=1.6, stroke=0.6)
    p += scale_fill_manual(values=[LIGHT[name] for name in STEPS], limits=legend)
    p += guides(fill=guide_legend(nrow=1))
    p += scale_x_continuous(
        breaks=list(range(len(across))), labels=f.names(across, 16), expand=[0, 0.6]
    )
    p += scale_y_continuous(
        breaks=list(range(len(rows))), labels=f.names(rows, 20)[::-1], expand=[0, 0.6]
    )
    size = 9 if long else 12
    p += theme(
        axis_text_x=element_text(size=size, angle=90 if long else 0, color=f.INK),
        axis_text_y=element_text(size=size, color=f.INK),
        legend_text=element_text(size=11, color=f.INK),
    )
    p += coord_fixed() + ggsize(f.WIDTH, 170 + cell * len(rows))
    return p + xlab(labels.get("x", "")) + ylab(labels.get("y", ""))


def order(columns: f.Columns, labels: f.Labels) -> tuple[list[str], list[str]]:
    """Rows and columns as they are drawn: as they came, or from low to high mean."""
    rows = list(dict.fromkeys(str(name) for name in columns["row"]))
    across = list(dict.fromkeys(str(name) for name in columns["column"]))
    if labels.get("order") != "value":
        return rows, across
    mean_row, mean_column = (_means(columns, side) for side in ("row", "column"))
    by_row = sorted(rows, key=lambda name: mean_row.get(name, float("inf")))
    if set(rows) == set(across):
        return by_row, by_row
    return by_row, sorted(across, key=lambda name: mean_column.get(name, float("inf")))


def _means(columns: f.Columns, side: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for name, value in zip(columns[side], columns["value"], strict=True):
        if f.is_number(value):
            found.setdefault(str(name), []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def _step(value: float, low: float, high: float) -> int:
    share = (value - low) / (high - low) if high > low else 0.0
    return min(len(STEPS) - 1, max(0, int(share * len(STEPS))))


def _legend(low: float, high: float) -> list[str]:
    """The lower end of each step, as text."""
    width = ((high - low) or 1.0) / len(STEPS)
    return [f"{words.number(low + i * width, 2)}+" for i in range(len(STEPS))]
