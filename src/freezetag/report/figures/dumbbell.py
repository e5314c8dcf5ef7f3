"""Two arms per row, class of 1 hollow and class of 30 filled, joined by a line.

REQUIRED name (str), alone, together (numbers, None where not measured).
OPTIONAL alone_low, alone_high, together_low, together_high (95 % whiskers);
         warn, fail (limits in the row's own scale, drawn as ticks);
         harm ("above" or "below": the side on which it is bad, drawn as an arrow);
         right (str, a text at the right edge of the row).
All rows share one axis: give one unit per figure, or numbers that were scaled beforehand.
"""

from __future__ import annotations

from typing import Any

from lets_plot import (
    aes,
    geom_point,
    geom_rect,
    geom_segment,
    geom_text,
    ggplot,
    scale_x_continuous,
    scale_y_continuous,
    xlab,
    ylab,
)

from freezetag.report.figures import _frame as f
from freezetag.report.svg import legible

REQUIRED = ("name", "alone", "together")
OPTIONAL = (
    *("alone_low", "alone_high", "together_low", "together_high"),
    *("warn", "fail", "harm", "right"),
)

GOOD = -0.45
"""How far the side before a limit reaches at least, of the side past it: its label fits there."""

LETTER = 7.5
"""About the pixels of a letter of a row's name, or of what stands on its right."""


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot. labels["zone"] says that all right of 0 is past the limit: shaded, no numbers."""
    names = f.names(columns["name"], 34)
    place = [float(len(names) - 1 - i) for i in range(len(names))]
    columns = {**columns, "at": place}
    data: dict[str, Any] = {"x": [], "y": []}
    p = ggplot(data) + f.frame(90 + 34 * len(names), grid="")
    ends = [place[-1] - 0.6, place[0] + 0.6]
    values = [
        value
        for name in REQUIRED[1:] + OPTIONAL[:6]
        for value in columns.get(name, ())
        if f.is_number(value)
    ]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if "zone" in labels:
        high = max(high, low + 1.3 * (0.0 - low), 0.3)
        low = min(low, GOOD * high)  # where no row is on the good side, its word needs the room
    span = (high - low) or 1.0
    if "zone" in labels:
        p += geom_rect(
            xmin=0.0, xmax=max(high, 0.0) + 0.06 * span, ymin=ends[0], ymax=ends[1],
            fill=f.WASH, color=f.WASH, size=0.0,
        )  # fmt: skip
    for y in place:
        p += geom_segment(
            x=low - 0.03 * span, xend=high + 0.03 * span, y=y, yend=y, color=f.GRID, size=0.7
        )
    for name, size in (("warn", 0.8), ("fail", 1.6)):
        keep = f.rows(columns, name)
        if keep:
            ticks = f.take(columns, keep, name, "at")
            ticks["top"] = [y + 0.3 for y in ticks["at"]]
            ticks["foot"] = [y - 0.3 for y in ticks["at"]]
            p += geom_segment(
                aes(x=name, xend=name, y="foot", yend="top"), data=ticks, color=f.HARM, size=size
            )
    p = _arrows(p, columns, span)
    keep = f.rows(columns, "alone", "together")
    if keep:
        joined = f.take(columns, keep, "alone", "together", "at")
        p += geom_segment(
            aes(x="alone", xend="together", y="at", yend="at"), data=joined, color=f.GRID, size=5
        )
    for arm, colour, size in (("alone", f.COLOURS[0], 0.8), ("together", f.COLOURS[1], 1.1)):
        keep = f.rows(columns, f"{arm}_low", f"{arm}_high")
        if keep:
            whisker = f.take(columns, keep, f"{arm}_low", f"{arm}_high", "at")
            p += geom_segment(
                aes(x=f"{arm}_low", xend=f"{arm}_high", y="at", yend="at"),
                data=whisker,
                color=colour,
                size=size,
            )
    keep = f.rows(columns, "alone")
    if keep:
        p += geom_point(
            aes("alone", "at"), data=f.take(columns, keep, "alone", "at"),
            shape=21, fill=f.PAPER, color=f.COLOURS[0], size=5, stroke=1.6,
        )  # fmt: skip
    keep = f.rows(columns, "together")
    if keep:
        p += geom_point(
            aes("together", "at"), data=f.take(columns, keep, "together", "at"),
            shape=16, color=f.COLOURS[1], size=4.2,
        )  # fmt: skip
    known = {*f.rows(columns, "alone"), *f.rows(columns, "together")}
    keep = [i for i in range(len(names)) if i not in known]
    if keep:
        p += geom_text(
            aes(y="at"), data=f.take(columns, keep, "at"),
            x=low + span / 2, label="not measured", color=f.SOFT, size=5,
        )  # fmt: skip
    room = high + 0.06 * span
    if "right" in columns:
        beside = [legible(value, 32) for value in columns["right"]]
        text = {"at": place, "text": beside}
        room = high + _beside(names, beside) * span
        p += geom_text(
            aes(y="at", label="text"), data=text,
            x=high + 0.08 * span, hjust=0, color=f.INK, size=5.2,
        )  # fmt: skip
    marks: dict[str, Any] = {}
    if "zone" in labels:
        marks = {
            "breaks": [low + 0.06 * span, 0.0, high],
            "labels": ["← good", "limit", "past it →"],
        }
    p += scale_x_continuous(limits=[low - 0.06 * span, room], expand=[0, 0], **marks)
    p += scale_y_continuous(breaks=place, labels=names, limits=ends, expand=[0, 0])
    return p + xlab(labels.get("x", "")) + ylab("")


def _beside(names: list[str], texts: list[str]) -> float:
    """The room right of the marks in spans: long names on the left leave fewer pixels for it."""
    inner = f.WIDTH - LETTER * max(map(len, names), default=0)
    share = min(LETTER * max(map(len, texts), default=0) / inner, 0.5)
    return max(0.34, 0.08 + 1.14 * share / (1 - share))


def _arrows(p: Any, columns: f.Columns, span: float) -> Any:
    """A small arrow at each failing limit, towards harm."""
    for side, sign, mark in (("above", 1, "▸"), ("below", -1, "◂")):
        keep = [
            i for i in f.rows(columns, "fail") if "harm" in columns and columns["harm"][i] == side
        ]
        if keep:
            data = f.take(columns, keep, "at")
            data["x"] = [columns["fail"][i] + sign * 0.016 * span for i in keep]
            p += geom_text(aes("x", "at"), data=data, label=mark, color=f.HARM, size=9)
    return p
