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
NAMED, STEP, BELOW = 3, 0.55, 0.75


def plot(columns: f.Columns, labels: f.Labels) -> Any:
    """The plot. Dots of one line are stacked so that none hides another."""
    keep = f.rows(columns, "value")
    families = [legible(value) for value in columns.get("family", [""] * len(columns["name"]))]
    lines = list(dict.fromkeys(families[i] for i in keep))
    values = [columns["value"][i] for i in keep] or [0.0]
    span = (max(values) - min(values)) or 1.0
    height = _stack([(columns["value"][i], families[i]) for i in keep], span)
    bad_is_high = labels.get("harm") == "above"
    worst = sorted(range(len(keep)), key=lambda j: values[j], reverse=bad_is_high)[:NAMED]
    base, top = _places(lines, [families[i] for i in keep], height, worst)
    dots = {
        "x": values if keep else [],
        "y": [base[families[i]] + STEP * level for i, level in zip(keep, height, strict=True)],
    }
    p = ggplot() + f.frame(int(70 + 26 * (top + 0.7)), grid="x")
    across = f.lines_across(columns, vertical=True)
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
    p = _name_worst(p, columns, keep, dots, worst, base, families)
    p += scale_y_continuous(
        breaks=list(base.values()), labels=list(base), limits=[-0.7, top], expand=[0, 0]
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


def _places(
    lines: list[str], families: list[str], height: list[int], worst: list[int]
) -> tuple[dict[str, float], float]:
    """Where each line stands, from the last upwards, with room for its stack and its names."""
    base, y = {}, 0.0
    for line in reversed(lines):
        y += BELOW * sum(families[j] == line for j in worst)
        base[line] = y
        y += 0.9 + STEP * max(
            (level for level, name in zip(height, families, strict=True) if name == line),
            default=0,
        )
    return dict(reversed(base.items())), y


def _name_worst(
    p: Any,
    columns: f.Columns,
    keep: list[int],
    dots: dict[str, list[float]],
    worst: list[int],
    base: dict[str, float],
    families: list[str],
) -> Any:
    """The worst by name, one below the other so that the names do not run together."""
    middle = (min(dots["x"]) + max(dots["x"])) / 2 if keep else 0.0
    used: dict[str, int] = {}
    for j in worst:
        line = families[keep[j]]
        used[line] = used.get(line, 0) + 1
        y = base[line] - BELOW * used[line]
        x = dots["x"][j]
        p += geom_segment(x=x, xend=x, y=dots["y"][j] - 0.3, yend=y + 0.2, color=f.AXIS, size=0.5)
        text = f" {legible(columns['name'][keep[j]], 26)} "
        p += geom_text(x=x, y=y, label=text, hjust=0.0 if x <= middle else 1.0, color=f.INK, size=5)
    return p
