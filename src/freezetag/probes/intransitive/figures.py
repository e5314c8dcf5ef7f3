"""Figures of `intransitive`: margins, places, and how each treats each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from freezetag.core import Figure, Interval, Record, Setting
from freezetag.estimators import ranking
from freezetag.probes.intransitive.interaction import interaction
from freezetag.probes.intransitive.population import Population


def margins(data: Population) -> Figure:
    """Who beats whom, best mean margin first."""
    a, order = ranking.antisymmetric(data.mean), data.ranked.order
    cells = [(i, j) for i in order for j in order]
    return Figure(
        "heatmap",
        "Margins: row against column",
        f"A rating leaves {_share(data.ranked.cyclic)} of the squared margins unexplained, "
        f"beyond noise; without the agent {_share(data.without.cyclic)}.",
        {
            "row": [data.names[i] for i, _ in cells],
            "column": [data.names[j] for _, j in cells],
            "value": [None if i == j else float(a[i, j]) for i, j in cells],
        },
        {"value": f"margin, {data.unit}"},
    )


def _share(of: Interval) -> str:
    return "an unknown part" if math.isnan(of.value) else f"{of.value:.0%}"


def places(data: Population) -> Figure:
    """Mean margins with the 95 % range of their resamples."""
    order = data.ranked.order
    drawn = ranking.ratings(ranking.antisymmetric(data.draws))
    low, high = (
        np.quantile(drawn, (0.025, 0.975), axis=0)
        if len(drawn)
        else np.full((2, data.size), np.nan)
    )
    place = 1 + order.index(0)
    return Figure(
        "dots",
        "Mean margin of each player",
        f"The agent is number {place} of {data.size} by mean margin; the first is "
        f"{data.names[order[0]]}.",
        {
            "name": [data.names[i] for i in order],
            "value": [float(data.ranked.ratings[i]) for i in order],
            "low": [float(low[i]) for i in order],
            "high": [float(high[i]) for i in order],
            "series": ["agent" if i == 0 else "classmate" for i in order],
            "reference": [0.0] * data.size,
        },
        {"x": f"mean margin, {data.unit}", "reference": "draws with everybody"},
    )


def interaction_map(setting: Setting, seen: Mapping[Any, Record]) -> Figure:
    """The interaction map of the class as a figure."""
    found = interaction(setting, seen)
    players, level = found["players"], found["level"]
    columns: dict[str, list[Any]] = {"row": [], "column": [], "value": []}
    for name, values in zip(players, level, strict=True):
        columns["row"] += [name] * len(players)
        columns["column"] += players
        columns["value"] += values
    given = [x for x in level[0] if x is not None]
    got = [row[0] for row in level[1:]]
    return Figure(
        "heatmap",
        "How each treats each, in pairs",
        f"The agent's mean level towards its classmates is {np.mean(given):.2f}; theirs towards "
        f"it is {np.mean(got):.2f} (0 selfish, 1 prosocial).",
        columns,
        {"value": "mean level of row towards column", "low": "0", "high": "1"},
    )
