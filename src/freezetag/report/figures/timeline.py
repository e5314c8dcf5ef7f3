"""Who did what and when: a row a player, a cell a step, darker for more.

REQUIRED row (str), step (number), value (number from 0 to 1, or None, which is drawn as a ring).
OPTIONAL mark (str): cells with one carry a cross, and labels["mark"] says what it stands for.
Rows keep the order of first appearance.
"""

from __future__ import annotations

from typing import Any

from lets_plot import (
    aes,
    element_text,
    geom_point,
    geom_tile,
    ggplot,
    ggsize,
    guide_legend,
    guides,
    scale_fill_manual,
    scale_y_continuous,
    theme,
    xlab,
    ylab,
)

from freezetag.report.figures import _frame as f
from freezetag.report.palette import LIGHT, STEPS

REQUIRED = ("row", "step", "value")
OPTIONAL = ("mark",)


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot. Values are drawn in seven steps, so that a step can be read off the legend."""
    who = list(dict.fromkeys(str(name) for name in columns["row"]))
    legend = [f"{i / len(STEPS):.2f}+" for i in range(len(STEPS))]
    tiles: dict[str, list[Any]] = {"x": [], "y": [], "level": []}
    marks: dict[str, list[Any]] = {"x": [], "y": []}
    empty: dict[str, list[Any]] = {"x": [], "y": []}
    there = columns.get("mark") or [""] * len(columns["row"])
    for row, step, value, mark in zip(
        columns["row"], columns["step"], columns["value"], there, strict=True
    ):
        if not f.is_number(step):
            continue
        at = step, len(who) - 1 - who.index(str(row))
        if f.is_number(value):
            tiles["x"].append(at[0])
            tiles["y"].append(at[1])
            share = min(max(float(value), 0.0), 1.0)
            tiles["level"].append(legend[min(int(share * len(STEPS)), len(STEPS) - 1)])
        else:
            empty["x"].append(at[0])
            empty["y"].append(at[1])
        if mark:
            marks["x"].append(at[0])
            marks["y"].append(at[1])
    p = ggplot() + f.frame(300, grid="", legend=True)
    if tiles["x"]:
        p += geom_tile(aes("x", "y", fill="level"), data=tiles, color=f.PAPER, size=0.3)
    if not (tiles["x"] or empty["x"]):
        p += f.note(0, 0, "nothing was recorded")
    if empty["x"]:
        p += geom_point(aes("x", "y"), data=empty, shape=1, color=f.AXIS, size=1.2)
    if marks["x"]:
        p += geom_point(aes("x", "y"), data=marks, shape=4, color=f.HARM, size=1.4, stroke=0.7)
    p += scale_fill_manual(values=[LIGHT[name] for name in STEPS], limits=legend)
    p += guides(fill=guide_legend(nrow=1))
    p += scale_y_continuous(
        breaks=list(range(len(who))), labels=f.names(who, 24)[::-1], expand=[0, 0.6]
    )
    size = 9 if len(who) > 8 else 12
    p += theme(
        axis_text_y=element_text(size=size, color=f.INK),
        legend_text=element_text(size=11, color=f.INK),
    )
    p += ggsize(f.WIDTH, 110 + max(12, min(26, 300 // max(len(who), 1))) * max(len(who), 2))
    said = f"cross: {labels['mark']}" if marks["x"] and "mark" in labels else ""
    return p + xlab(" · ".join(part for part in (labels.get("x", "step"), said) if part)) + ylab("")
