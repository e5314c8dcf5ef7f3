"""What is where on a grid after a step: all that is needed to draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Cell = tuple[int, int]
"""Row and column, from the top left."""
WALL, APPLE, BARE, WATER, WASTE, BEAM, SPRAY = (
    "wall",
    "apple",
    "bare",
    "water",
    "waste",
    "beam",
    "spray",
)
NOWHERE = -1
ONLY_SEEN = "scene_"
"""So begins the name of what a world publishes for its picture alone."""


@dataclass(frozen=True)
class Token:
    """Somebody or something that belongs to a seat. `facing` is 0 up, 1 right, 2 down, 3 left, or
    `NOWHERE`; `still` says that it is frozen; `kind` is "player" or what else it is."""

    seat: int
    row: int
    column: int
    facing: int = NOWHERE
    still: bool = False
    kind: str = "player"


@dataclass(frozen=True)
class Scene:
    """A grid of `rows` x `columns`. `cells`: what lies there -> where; `tokens`: who stands where,
    the later ones above; `counts`: name -> a number that goes with the picture."""

    rows: int
    columns: int
    cells: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    tokens: tuple[Token, ...] = ()
    counts: Mapping[str, float] = field(default_factory=dict)
