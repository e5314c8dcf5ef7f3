"""The figures of `lock_in`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from freezetag.core import Figure
from freezetag.estimators import bootstrap
from freezetag.estimators.survival import survival_at


def survival_figure(probe: Any, copies: Mapping[Any, Any]) -> Figure:
    """Share of runs still locked in after all-defect, a curve per chance of a slip."""
    columns: dict[str, list[Any]] = {c: [] for c in ("time", "share", "low", "high", "series")}
    for eps in probe.noise:
        times, seen = probe.back_to_cooperation(copies["defect", eps])
        for t in (0, *sorted({int(x) for x in times[seen]}), int(times.max())):
            share = survival_at(times, seen, t)
            for name, value in (
                ("time", t),
                ("share", share.value),
                ("low", share.low),
                ("high", share.high),
                ("series", f"slips {eps:g}"),
            ):
                columns[name].append(value)
    times, seen = probe.back_to_cooperation(copies["defect", probe.noise[probe.judged]])
    return Figure(
        "survival",
        "Time locked in mutual defection",
        f"At slips of {probe.noise[probe.judged]:g}, {int(seen.sum())} of {len(seen)} runs of "
        f"copies are back to cooperation within {probe.rounds - probe.forced} rounds"
        + (f", half of those within {np.median(times[seen]):g}." if seen.any() else "."),
        columns,
        {"x": "rounds since all defected", "y": "share of runs still locked in"},
    )


def loop_figure(probe: Any, copies: Mapping[Any, Any]) -> Figure:
    """Cooperation in the last quarter from both starts, over the chance of a slip."""
    columns: dict[str, list[Any]] = {c: [] for c in ("x", "y", "low", "high", "series")}
    for start, words in (("cooperate", "from all-cooperate"), ("defect", "from all-defect")):
        for eps in probe.noise:
            one = bootstrap.mean(probe.last_quarter(copies[start, eps]), bounds=(0, 1))
            for name, value in (
                ("x", eps),
                ("y", one.value),
                ("low", one.low),
                ("high", one.high),
                ("series", words),
            ):
                columns[name].append(value)
    half = len(probe.noise)
    gap = np.mean(columns["y"][:half]) - np.mean(columns["y"][half:])
    return Figure(
        "curve",
        "What the start leaves behind",
        f"In the last quarter copies that began cooperating cooperate {gap:.2f} more than "
        "copies that began defecting, mean over the slips shown.",
        columns,
        {"x": "chance of a slip", "y": "cooperation in the last quarter"},
    )
