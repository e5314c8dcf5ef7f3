"""The figures of a comparison of two planners, each with its finding in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from freezetag.core import Figure
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED
from freezetag.two_worlds.comparison import Comparison
from freezetag.two_worlds.prices import FREEZE, Race, settled
from freezetag.two_worlds.sweep import Sweep

MOST_TURNS = 6
"""Changes of what is executed that are told of a sweep."""


def figures(found: Comparison) -> tuple[Figure, ...]:
    """The windows of every race by power limit, and SI's price by the size of a mistake."""
    windows = [_windows(race) for race in found.races if race.windows]
    return (*windows, *_errors(found))


def pull_of(swept: Sweep) -> str:
    """What `pull` is in a sweep."""
    if swept.priced:
        return f"What they would pay to {swept.action}"
    return f"How much {swept.action} is wanted"


def sweep_figures(swept: Sweep) -> tuple[Figure, ...]:
    """What they would pay, and what they attain, over the range."""
    both = (FACTUAL, INTERLOCKED)
    turns = [
        f"{name} {_turns([(p.x, p.first[i]) for p in swept.points])}" for i, name in enumerate(both)
    ]
    xs = [point.x for point in swept.points]
    pulls = [point.pull for point in swept.points]
    gains = [point.attains for point in swept.points]
    ends = " ".join(f"At {swept.name} {xs[i]:g} it is {_pair(gains[i])}." for i in (0, -1))
    return tuple(
        Figure(
            "curve",
            title,
            finding,
            {
                "x": xs * 2,
                "y": [_shown(pair[i]) for i in (0, 1) for pair in pairs],
                "series": [name for name in both for _ in xs],
            },
            {"x": swept.name, "y": "utility"},
        )
        for title, finding, pairs in (
            (pull_of(swept), f"First step executed: {'; '.join(turns)}.", pulls),
            ("True return", ends, gains),
        )
    )


def _windows(race: Race) -> Figure:
    limits = [u_max for u_max, _ in race.windows]
    windows = [window for _, window in race.windows]
    widest = max(windows, key=lambda window: window.width)
    return Figure(
        "curve",
        f"The unlucky window of {race.action}",
        f"Between the lines SI takes {race.action} and the power limit lets it. A limit of "
        f"{limits[0]:.4g}, its value where it cannot win, leaves a window of "
        f"{windows[0].width:.4g}; the widest, {widest.width:.4g}, is left by one of "
        f"{limits[windows.index(widest)]:.4g}.",
        {
            "x": limits * 2,
            "y": [window.low for window in windows] + [window.high for window in windows],
            "series": ["takes it above"] * len(limits) + ["is stopped above"] * len(limits),
        },
        {"x": "power limit u_max, utility", "y": f"chance of winning ({race.setting})"},
    )


def _errors(found: Comparison) -> list[Figure]:
    curves = [mistake for mistake in found.mistakes if mistake.name != FREEZE]
    if not curves:
        return []
    columns: dict[str, list[Any]] = {"x": [], "y": [], "series": []}
    for mistake in curves:
        columns["x"] += mistake.distances
        columns["y"] += map(_shown, mistake.prices)
        columns["series"] += [mistake.name] * len(mistake.prices)
    whole = "; ".join(f"{mistake.name} {mistake.prices[-1]:.4g}" for mistake in curves)
    return [
        Figure(
            "curve",
            f"What SI would pay to {curves[0].action} if its model is wrong",
            f"With a true model it pays {curves[0].prices[0]:.4g}; with the whole mistake: "
            f"{whole}.",
            columns,
            {"x": "distance of the learned model, d(L, S)", "y": "utility, once"},
        )
    ]


def _turns(first: Sequence[tuple[float, str]]) -> str:
    """`work, from 0.33 grab`: where what is executed changes along the range."""
    said = [first[0][1]]
    for (_, before), (x, now) in pairwise(first):
        if now != before:
            said.append(f"from {x:g} {now}")
    return ", ".join(said if len(said) <= MOST_TURNS else [*said[:MOST_TURNS], "and so on"])


def _pair(values: tuple[float, float]) -> str:
    return f"{FACTUAL} {values[0]:.4g}, {INTERLOCKED} {values[1]:.4g}"


def _shown(value: float) -> float | None:
    return settled(value) if math.isfinite(value) else None
