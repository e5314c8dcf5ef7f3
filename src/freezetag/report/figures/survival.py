"""Step curves of the share still there: survival of a commons, time to escape, per arm.

REQUIRED time, share (numbers; share in [0, 1], as it is from `time` on).
OPTIONAL low, high (band); series (str, the arm); censored (bool: a tick).
"""

from __future__ import annotations

from typing import Any

from lets_plot import (
    aes,
    geom_point,
    geom_ribbon,
    geom_step,
    ggplot,
    scale_y_continuous,
    xlab,
    ylab,
)

from freezetag.report.figures import _frame as f

REQUIRED = ("time", "share")
OPTIONAL = ("low", "high", "series", "censored")


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot."""
    each, different = f.series_of(columns)
    columns = {**columns, "series": each}
    p = ggplot() + f.frame(280, grid="y", legend=len(different) > 1) + f.by_series(different)
    if f.joined(each, f.rows(columns, "time", "low", "high")):
        p += geom_ribbon(
            aes("time", ymin="low", ymax="high", fill="series"),
            data=_stairs(columns, different), alpha=0.16, show_legend=False,
            size=0.0, color=f.PAPER,
        )  # fmt: skip
    keep = f.rows(columns, "time", "share")
    lines = f.joined(each, keep)
    p += geom_step(
        aes("time", "share", color="series", linetype="series"),
        data=f.take(columns, lines, "time", "share", "series"), size=1.2,
    )  # fmt: skip
    lone = sorted(set(keep) - set(lines))
    if lone:
        p += geom_point(
            aes("time", "share", color="series"),
            data=f.take(columns, lone, "time", "share", "series"), size=3.4,
        )  # fmt: skip
    ticks = [i for i in keep if columns.get("censored") and columns["censored"][i]]
    if ticks:
        p += geom_point(
            aes("time", "share", color="series"),
            data=f.take(columns, ticks, "time", "share", "series"), shape=3, size=3, stroke=1.4,
        )  # fmt: skip
    p += scale_y_continuous(
        limits=[-0.02, max([1.02, *(f_ for f_ in columns.get("high", ()) if f.is_number(f_))])],
        breaks=[0, 0.25, 0.5, 0.75, 1],
        labels=["0", "¼", "½", "¾", "1"],
    )
    return p + xlab(labels.get("x", "time")) + ylab(labels.get("y", "share still there"))


def _stairs(columns: f.Columns, different: list[str]) -> dict[str, list[Any]]:
    """The band as stairs: at each time first the earlier bounds, then the new ones."""
    band: dict[str, list[Any]] = {"time": [], "low": [], "high": [], "series": []}
    for name in different:
        order = sorted(
            (i for i in f.rows(columns, "time", "low", "high") if columns["series"][i] == name),
            key=lambda i: columns["time"][i],
        )
        for before, i in zip([None, *order], order, strict=False):
            for bounds in (before, i):
                if bounds is not None:
                    band["time"].append(columns["time"][i])
                    band["low"].append(columns["low"][bounds])
                    band["high"].append(columns["high"][bounds])
                    band["series"].append(name)
    return band
