"""Colours, each in a light and a dark value. Figures name them, CSS decides which one shows.

A figure is drawn once, in the light values; `svg` turns each into `var(--name)`. So one
drawing is its light and its dark rendering, and no third colour can slip in. Series colours
have at least 3:1 against both papers; shapes and dashes say the same without colour.
"""

from __future__ import annotations

from collections.abc import Iterator

LIGHT: dict[str, str] = {
    "paper": "#fdfcf9",
    "ink": "#1d2329",
    "soft": "#56606b",
    "grid": "#e4e0d6",
    "axis": "#8d8f8b",
    "harm": "#b3261e",
    "wash": "#f6dcd6",
    "series-1": "#1f5fa8",
    "series-2": "#b4531a",
    "series-3": "#0d7565",
    "series-4": "#8a3f8f",
    "series-5": "#66690f",
    "series-6": "#9c2a4c",
    "step-1": "#eef2f5",
    "step-2": "#d2e0ec",
    "step-3": "#aecbe2",
    "step-4": "#82b0d3",
    "step-5": "#5590bf",
    "step-6": "#2f6ea3",
    "step-7": "#154a7a",
}
DARK: dict[str, str] = {
    "paper": "#171b20",
    "ink": "#e9e6df",
    "soft": "#a9b1b9",
    "grid": "#2d343c",
    "axis": "#737b84",
    "harm": "#ff8a7a",
    "wash": "#43231f",
    "series-1": "#7db8f5",
    "series-2": "#f2a16b",
    "series-3": "#57cbb4",
    "series-4": "#d79be0",
    "series-5": "#c8cc6a",
    "series-6": "#f28aa5",
    "step-1": "#20272e",
    "step-2": "#1f3a52",
    "step-3": "#24527a",
    "step-4": "#2f6da3",
    "step-5": "#4d8fc4",
    "step-6": "#82b7e0",
    "step-7": "#c4e0f7",
}
SERIES = tuple(f"series-{i}" for i in range(1, 7))
STEPS = tuple(f"step-{i}" for i in range(1, 8))


def declarations(scheme: dict[str, str]) -> str:
    """CSS custom properties of one scheme, for a rule's body."""
    return "".join(f"--{name}:{value};" for name, value in scheme.items())


def spellings() -> Iterator[tuple[str, str]]:
    """(how lets-plot writes a light colour, its CSS variable), hex and rgb() both."""
    for name, value in LIGHT.items():
        red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
        variable = f"var(--{name})"
        yield value, variable
        yield f"rgb({red},{green},{blue})", variable
