"""Dots with whiskers, one row per name: estimates beside each other on one axis.

REQUIRED name (str), value.
OPTIONAL low, high (95 %); series (str); limit; reference.
Rows stay in the order given, first on top.
"""

from __future__ import annotations

from typing import Any

from lets_plot import (
    aes,
    geom_point,
    geom_segment,
    geom_text,
    ggplot,
    scale_y_continuous,
    xlab,
    ylab,
)

from freezetag.report.figures import _frame as f

REQUIRED = ("name", "value")
OPTIONAL = ("low", "high", "series", "limit", "reference")


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot. Series of one name stand side by side in its row."""
    each, different = f.series_of(columns)
    groups = list(dict.fromkeys(str(name) for name in columns["name"]))
    gap = 0.5 / len(different)
    at = [
        len(groups)
        - 1
        - groups.index(str(name))
        + gap * ((len(different) - 1) / 2 - different.index(series))
        for name, series in zip(columns["name"], each, strict=True)
    ]
    columns = {**columns, "series": each, "at": at}
    height = 80 + max(30, 16 * len(different)) * len(groups)
    p = ggplot() + f.frame(height, grid="x", legend=len(different) > 1) + f.by_series(different)
    across = f.lines_across(columns, vertical=True)
    p = p if across is None else p + across
    ends = f.rows(columns, "low", "high")
    if ends:
        p += geom_segment(
            aes(x="low", xend="high", y="at", yend="at", color="series"),
            data=f.take(columns, ends, "low", "high", "at", "series"), size=1.0,
        )  # fmt: skip
    keep = f.rows(columns, "value")
    p += geom_point(
        aes("value", "at", color="series", shape="series"),
        data=f.take(columns, keep, "value", "at", "series"), size=4,
    )  # fmt: skip
    values = [columns["value"][i] for i in keep] or [0.0]
    missing = sorted(set(range(len(at))) - set(keep))
    if missing:
        p += geom_text(
            aes(y="at"), data=f.take(columns, missing, "at"),
            x=(min(values) + max(values)) / 2, label="not measured", color=f.SOFT, size=5,
        )  # fmt: skip
    p += scale_y_continuous(
        breaks=list(range(len(groups))),
        labels=f.names(groups)[::-1],
        limits=[-0.6, len(groups) - 0.4],
        expand=[0, 0],
    )
    return p + xlab(f.axis_title(labels.get("x", ""), columns, labels)) + ylab(labels.get("y", ""))
