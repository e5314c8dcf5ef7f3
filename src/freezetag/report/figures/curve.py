"""Lines with bands: a kappa curve, learning over days, a variable over time.

REQUIRED x, y (numbers).
OPTIONAL low, high (band); series (str); limit; reference.
Rows of a series are joined in the order of x; a missing y breaks the line. labels["x_scale"]
"log10" makes the x axis logarithmic (all x > 0). An infinite x (kappa = inf) is drawn as a dot
at the right edge, marked "inf".
"""

from __future__ import annotations

import math
from typing import Any

from lets_plot import (
    aes,
    geom_line,
    geom_point,
    geom_ribbon,
    geom_segment,
    ggplot,
    scale_x_continuous,
    scale_x_log10,
    xlab,
    ylab,
)

from freezetag.report.figures import _frame as f
from freezetag.report.svg import FigureError

REQUIRED = ("x", "y")
OPTIONAL = ("low", "high", "series", "limit", "reference")
FEW = 12
"""Up to so many points a line, the points are drawn too: what was measured and what is joined."""


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot."""
    each, different = f.series_of(columns)
    columns = {**columns, "series": each}
    finite = [x for x in columns["x"] if f.is_number(x)]
    logarithmic = labels.get("x_scale") == "log10"
    if logarithmic and min(finite, default=1) <= 0:
        raise FigureError(f"a logarithmic axis needs x > 0, got {min(finite)}.")
    end = _beyond(finite, logarithmic)
    columns["place"] = [end if x == math.inf else x for x in columns["x"]]
    columns["group"] = _runs(columns)
    p = ggplot() + f.frame(280, grid="y", legend=len(different) > 1) + f.by_series(different)
    across = f.lines_across(columns, vertical=False)
    p = p if across is None else p + across
    banded = f.joined(columns["group"], f.rows(columns, "x", "low", "high"))
    if banded:
        band = f.take(columns, banded, "place", "low", "high", "series", "group")
        p += geom_ribbon(
            aes("place", ymin="low", ymax="high", fill="series", group="group"),
            data=band, alpha=0.16, show_legend=False, size=0.0, color=f.PAPER,
        )  # fmt: skip
    lines = f.joined(columns["group"], f.rows(columns, "x", "y"))
    if lines:
        joined = f.take(columns, lines, "place", "y", "series", "group")
        p += geom_line(
            aes("place", "y", color="series", linetype="series", group="group"),
            data=joined,
            size=1.1,
        )
    in_line = set(lines)
    few = all(each.count(name) <= FEW for name in different)
    lone = [
        i
        for i in f.rows(columns, "place", "y")
        if few or columns["x"][i] == math.inf or i not in in_line
    ]
    if lone:
        p += geom_point(
            aes("place", "y", color="series", shape="series"),
            data=f.take(columns, lone, "place", "y", "series"), size=3.4,
        )  # fmt: skip
    p = _infinite(p, columns, end)
    if not f.rows(columns, "place", "y"):
        return p + f.note(0.0, 0.0, "not measured")
    scale = scale_x_log10 if logarithmic else scale_x_continuous
    if math.inf in columns["x"]:
        marks = _marks(finite, end)
        p += scale(breaks=[*marks, end], labels=[*(f"{x:g}" for x in marks), "∞"])
    elif logarithmic:
        p += scale()
    title = f.axis_title(labels.get("x", ""), columns, labels)
    return p + xlab(title) + ylab(labels.get("y", ""))


def _beyond(finite: list[float], logarithmic: bool) -> float:
    """Where infinity stands: a tenth of the axis right of the last number."""
    if not finite:
        return 1.0
    low, high = min(finite), max(finite)
    if logarithmic:
        return float(high * math.exp(0.12 * math.log(high / low)))
    return high + 0.12 * ((high - low) or 1.0)


def _marks(finite: list[float], end: float) -> list[float]:
    """Numbers on an axis that ends with infinity: those given, thinned until they have room."""
    marks: list[float] = []
    for x in sorted(set(finite)):
        if not marks or x - marks[-1] > 0.045 * (end - min(finite)):
            marks.append(x)
    return marks


def _runs(columns: f.Columns) -> list[str]:
    """The unbroken run that each row belongs to: a missing y ends one; infinity stands alone."""
    order = sorted(
        (i for i, x in enumerate(columns["x"]) if f.is_number(x)), key=lambda i: columns["x"][i]
    )
    groups = [f"{name} inf" for name in columns["series"]]
    broken: dict[str, int] = {}
    for i in order:
        name = columns["series"][i]
        broken[name] = broken.get(name, 0) + (not f.is_number(columns["y"][i]))
        groups[i] = f"{name} {broken[name]}"
    return groups


def _infinite(p: Any, columns: f.Columns, end: float) -> Any:
    """Whiskers at infinity, where no band can be."""
    at = [i for i, x in enumerate(columns["x"]) if x == math.inf]
    bounded = set(f.rows(columns, "low", "high"))
    ends = [i for i in at if i in bounded]
    if ends:
        p += geom_segment(
            aes(x="place", xend="place", y="low", yend="high", color="series"),
            data=f.take(columns, ends, "place", "low", "high", "series"), size=1.0,
        )  # fmt: skip
    return p
