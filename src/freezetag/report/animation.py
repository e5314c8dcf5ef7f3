"""An episode as moving pictures in text: a frame per step, for worlds that can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from freezetag.report.words import number, plain

HOME = "\x1b[H"
"""Moves the cursor to the top left: what a terminal prints before each frame but the first."""


def frames(
    rows: Sequence[Mapping[str, Any]],
    draw: Callable[[Any], str],
    states: Sequence[Any],
    actions: Sequence[str],
    seat: int = 0,
    start: Any = None,
) -> Iterator[str]:
    """The pictures of an episode, in the order of its steps; all have the same number of lines.

    `rows` are those of `episodes.parquet` for one episode, as for `playthrough.lines`; their
    `world_state` is an index into `states`, those of the world's model, which `draw` draws.
    `actions` names what was wanted and what was done. With `start` there is a first frame, of the
    state before anything happened. Raises `ValueError` for rows without `world_state`.
    """
    own = sorted((row for row in rows if row["seat"] == seat), key=lambda row: row["step"])
    pictures = [(draw(start), "start", "")] if start is not None else []
    earned = 0.0
    for row in own:
        if row.get("world_state") is None:
            raise ValueError("these rows have no world_state: the world is not a table of states.")
        earned += row["reward"]
        picture = draw(states[int(row["world_state"])])
        pictures.append((picture, f"step {row['step']}", _told(row, actions, earned)))
    tall = max((picture.count("\n") for picture, _, _ in pictures), default=0)
    wide = max((len(line) for each in pictures for line in each[2].split("\n")), default=0)
    for picture, title, told in pictures:
        lines = [title.ljust(max(wide, len("step 9999"))), *picture.split("\n")]
        lines += [""] * (tall - picture.count("\n"))
        # Padded, so that a frame written over the last one leaves nothing of it.
        yield "\n".join([*lines, *(line.ljust(wide) for line in (told or "\n").split("\n"))])


def _told(row: Mapping[str, Any], actions: Sequence[str], earned: float) -> str:
    """What the agent wanted, what it did, and whether its interlocks hold it."""
    wanted, did = (plain(actions[int(row[f"{kind}_0"])]) for kind in ("proposed", "executed"))
    stopped = bool(row["mode"])
    second = f"STOPPED, wanted {wanted}" if stopped else ""
    return f"did {did}, earned {number(earned)}\n{second}"
