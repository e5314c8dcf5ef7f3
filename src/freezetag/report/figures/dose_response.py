"""A value with its interval over the size of the class: 0 (class of 1), 1, 2, 5, 10, 30.

REQUIRED size (int, number of classmates), value.
OPTIONAL low, high (95 %); series (str); limit.
The axis is log(1 + size), so that 0 has a place.
"""

from __future__ import annotations

import math
from typing import Any

from lets_plot import (
    aes,
    geom_errorbar,
    geom_line,
    geom_point,
    ggplot,
    position_dodge,
    scale_x_continuous,
    xlab,
    ylab,
)

from freezetag.report.figures import _frame as f

REQUIRED = ("size", "value")
OPTIONAL = ("low", "high", "series", "limit", "reference")


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot."""
    each, different = f.series_of(columns)
    columns = {**columns, "series": each}
    keep = f.rows(columns, "size", "value")
    data = f.take(columns, keep, "size", "value", "series")
    sizes = sorted(set(data["size"]))
    data["at"] = [math.log1p(size) for size in data["size"]]
    p = ggplot() + f.frame(270, grid="y", legend=len(different) > 1) + f.by_series(different)
    across = f.lines_across(columns, vertical=False)
    p = p if across is None else p + across
    dodge = position_dodge(0.12 if len(different) > 1 else 0.0)
    ends = f.rows(columns, "size", "low", "high")
    if ends:
        bars = f.take(columns, ends, "size", "low", "high", "series")
        bars["at"] = [math.log1p(size) for size in bars["size"]]
        p += geom_errorbar(
            aes("at", ymin="low", ymax="high", color="series"),
            data=bars, width=0.0, size=1.0, position=dodge,
        )  # fmt: skip
    lines = f.joined(each, keep)
    if lines:
        line = f.take(columns, lines, "size", "value", "series")
        line["at"] = [math.log1p(size) for size in line["size"]]
        p += geom_line(
            aes("at", "value", color="series", linetype="series"),
            data=line, size=1.0, position=dodge,
        )  # fmt: skip
    p += geom_point(
        aes("at", "value", color="series", shape="series"), data=data, size=4, position=dodge
    )
    p += scale_x_continuous(
        breaks=[math.log1p(size) for size in sizes],
        labels=[f"{size:g}" if size else "alone" for size in sizes],
    )
    title = labels.get("x", "classmates")
    return p + xlab(f.axis_title(title, columns, labels)) + ylab(labels.get("y", ""))
