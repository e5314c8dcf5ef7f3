"""Freeze tag with stop buttons: the game, and how a player is told of it."""

from freezetag.substrates.freeze_tag.freeze_tag import (
    NOBODY,
    OVERSEER,
    FreezeTag,
    FreezeTagState,
    tags,
)
from freezetag.substrates.freeze_tag.one_seat import (
    COERCE,
    DOWN,
    GRAB,
    GUARD,
    GUARDED,
    PRESS,
    STOP,
    THAW,
    UP,
    WORK,
    Armed,
    At,
    Grabbing,
)

__all__ = [
    "COERCE",
    "DOWN",
    "GRAB",
    "GUARD",
    "GUARDED",
    "NOBODY",
    "OVERSEER",
    "PRESS",
    "STOP",
    "THAW",
    "UP",
    "WORK",
    "Armed",
    "At",
    "FreezeTag",
    "FreezeTagState",
    "Grabbing",
    "tags",
]
