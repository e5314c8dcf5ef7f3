"""One dot per co-player on one line of values; held-out ones ringed, the worst three named.

REQUIRED name (str), value (low is bad unless labels["harm"] == "above").
OPTIONAL held_out (bool); low, high (95 %); family (str, one line of dots each);
         reference (the class of 1, or any line to compare with); limit.
"""

from __future__ import annotations

from typing import Any

from lets_plot import (
    aes,
    geom_point,
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

REQUIRED = ("name", "value")
OPTIONAL = ("held_out", "low", "high", "family", "reference", "limit")
NAMED = 3


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot. Dots of one line are stacked so that none hides another."""
    keep = f.rows(columns, "value")
    families = [legible(value) for value in columns.get("family", [""] * len(columns["name"]))]
    lines = list(dict.fromkeys(families[i] for i in keep))
    values = [columns["value"][i] for i in keep] or [0.0]
    span = (max(values) - min(values)) or 1.0
    height = _stack([(columns["value"][i], families[i]) for i in keep], span)
    tall = max([*height, 1])
    step = 0.34
    pitch = 1.3 + step * tall
    base = {name: pitch * (len(lines) - 1 - i) for i, name in enumerate(lines)}
    dots = {
        "x": values if keep else [],
        "y": [base[families[i]] + step * level for i, level in zip(keep, height, strict=True)],
    }
    top = pitch * (len(lines) - 1) + step * tall + 0.9
    p = ggplot() + f.frame(int(96 + 46 * (top + 1.2)), grid="x")
    across = f.lines_across(columns, labels, vertical=True)
    p = p if across is None else p + across
    bounded = set(f.rows(columns, "low", "high"))
    ends = [j for j, i in enumerate(keep) if i in bounded]
    if ends:
        whisker = {
            "low": [columns["low"][keep[j]] for j in ends],
            "high": [columns["high"][keep[j]] for j in ends],
            "y": [dots["y"][j] for j in ends],
        }
        p += geom_segment(
            aes(x="low", xend="high", y="y", yend="y"), data=whisker, color=f.AXIS, size=0.7
        )
    held = [j for j, i in enumerate(keep) if columns.get("held_out") and columns["held_out"][i]]
    if held:
        ring = {name: [dots[name][j] for j in held] for name in ("x", "y")}
        p += geom_point(
            aes("x", "y"), data=ring, shape=21, fill=f.PAPER, color=f.COLOURS[1], size=6, stroke=1.5
        )
    p += geom_point(aes("x", "y"), data=dots, shape=16, color=f.COLOURS[0], size=3.2)
    p = _name_worst(p, columns, labels, keep, dots)
    p += scale_y_continuous(
        breaks=list(base.values()), labels=list(base), limits=[-1.3, top], expand=[0, 0]
    )
    p += scale_x_continuous(expand=[0.09, 0])
    title = f.axis_title(labels.get("x", ""), columns, labels)
    title = " · ".join(part for part in (title, "ringed: held out") if part) if held else title
    return p + xlab(title) + ylab("")


def _stack(dots: list[tuple[float, str]], span: float) -> list[int]:
    """The level of each dot: the lowest at which it touches no earlier dot of its line."""
    taken: dict[tuple[str, int], list[float]] = {}
    levels = []
    for value, line in dots:
        level = 0
        while any(abs(value - other) < 0.028 * span for other in taken.get((line, level), ())):
            level += 1
        taken.setdefault((line, level), []).append(value)
        levels.append(level)
    return levels


def _name_worst(
    p: Any, columns: f.Columns, labels: f.Labels, keep: list[int], dots: dict[str, list[float]]
) -> Any:
    """The worst three by name, one below the other so that the names do not run together."""
    bad_is_high = labels.get("harm") == "above"
    order = sorted(range(len(keep)), key=lambda j: dots["x"][j], reverse=bad_is_high)[:NAMED]
    side = 1.0 if bad_is_high else 0.0
    for line, j in enumerate(order):
        y = dots["y"][j] - 0.42 - 0.38 * line
        p += geom_segment(
            x=dots["x"][j], xend=dots["x"][j], y=dots["y"][j] - 0.16, yend=y + 0.14,
            color=f.AXIS, size=0.5,
        )  # fmt: skip
        text = legible(columns["name"][keep[j]], 26)
        p += geom_text(x=dots["x"][j], y=y, label=text, hjust=side, color=f.INK, size=5)
    return p
