"""Bars from zero, one per name, for shares and counts that have a natural zero.

REQUIRED name (str), value.
OPTIONAL low, high (95 % whiskers); series (str: bars side by side, at most six); limit; reference.
Bars stay in the order given.
"""

from __future__ import annotations

from typing import Any

from lets_plot import aes, geom_rect, geom_segment, ggplot, scale_x_continuous, xlab, ylab

from freezetag.report.figures import _frame as f

REQUIRED = ("name", "value")
OPTIONAL = ("low", "high", "series", "limit", "reference")


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot."""
    each, different = f.series_of(columns)
    groups = list(dict.fromkeys(str(name) for name in columns["name"]))
    wide = 0.78 / len(different)
    left = [
        groups.index(str(name)) - 0.39 + wide * different.index(series)
        for name, series in zip(columns["name"], each, strict=True)
    ]
    columns = {
        **columns,
        "series": each,
        "left": left,
        "right": [at + wide * 0.92 for at in left],
        "middle": [at + wide * 0.46 for at in left],
    }
    p = ggplot() + f.frame(270, grid="y", legend=len(different) > 1) + f.by_series(different)
    data = f.take(columns, f.rows(columns, "value"), "left", "right", "value", "series")
    p += geom_rect(
        aes(xmin="left", xmax="right", ymax="value", fill="series"),
        data=data, ymin=0.0, alpha=0.85, size=0.0, color=f.PAPER,
    )  # fmt: skip
    ends = f.rows(columns, "value", "low", "high")
    if ends:
        p += geom_segment(
            aes(x="middle", xend="middle", y="low", yend="high"),
            data=f.take(columns, ends, "middle", "low", "high"), color=f.INK, size=1.0,
        )  # fmt: skip
    missing = sorted(set(range(len(each))) - set(f.rows(columns, "value")))
    for i in missing:
        p += f.note(columns["middle"][i], 0.0, "–", vjust=-0.3)
    across = f.lines_across(columns, vertical=False)
    p = p if across is None else p + across
    room = max(8, 84 // len(groups))
    p += scale_x_continuous(
        breaks=list(range(len(groups))),
        labels=f.names(groups, room),
        limits=[-0.6, len(groups) - 0.4],
        expand=[0, 0],
    )
    return p + xlab(f.axis_title(labels.get("x", ""), columns, labels)) + ylab(labels.get("y", ""))
