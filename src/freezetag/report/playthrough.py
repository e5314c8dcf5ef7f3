"""An episode as text: what was wanted, what was let through, what it earned."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freezetag.core import Event
from freezetag.core.scene import ONLY_SEEN
from freezetag.report.words import number, plain

WIDTH = 100
"""Letters of a line of what was told or said."""


def lines(
    rows: Sequence[Mapping[str, Any]],
    seat: int = 0,
    most: int | None = None,
    events: Sequence[Event] = (),
) -> Iterator[str]:
    """A line per step, as seen from one seat, and a last one for the whole; below each what was
    told and said in it, by the `events` of the episode.

    `rows` are those of `episodes.parquet` for one episode (step, seat, player, proposed_0,
    executed_0, level, reward, mode, forced, world_*), in the order of steps. At most `most`
    steps are shown.
    """
    steps = sorted({row["step"] for row in rows})
    own = {row["step"]: row for row in rows if row["seat"] == seat}
    others: dict[int, list[Mapping[str, Any]]] = {step: [] for step in steps}
    for row in rows:
        if row["seat"] != seat:
            others[row["step"]].append(row)
    if not own:
        yield "nobody sat there."
        return
    many = max(map(len, others.values()), default=0) > 1
    yield f"{plain(own[steps[0]]['player'])} with {_company(others[steps[0]])}"
    yield "step  wanted  did  reward  " + ("others' mean level" if many else "the other did")
    for step in steps[:most]:
        row = own[step]
        wanted, did = action(row, "proposed"), action(row, "executed")
        marks = "".join(
            mark for mark, on in (("  stopped", row["mode"]), ("  forced", row["forced"])) if on
        )
        line = f"{step:>4}  {wanted:>6}  {did:>3}  {number(row['reward']):>6}  "
        yield line + _they(others[step], many) + _world(row) + marks
        for event in events:
            if event.t == step:
                yield from _words(event, "" if event.n == seat else f"seat {event.n} ")
    if most is not None and len(steps) > most:
        yield f"... {len(steps) - most} steps more"
    total = sum(own[step]["reward"] for step in steps)
    yield f"{len(steps)} steps, {number(total / len(steps))} per step"


def _words(event: Event, who: str) -> Iterator[str]:
    """What was told, said or went wrong, over as many lines as it takes."""
    first, rest = " " * 6 + f"{who}{plain(event.kind)}: ", " " * 8
    for part in event.text.splitlines() or [""]:
        yield from textwrap.wrap(
            plain(part), WIDTH, initial_indent=first, subsequent_indent=rest
        ) or [first.rstrip()]
        first = rest


def _company(others: Sequence[Mapping[str, Any]]) -> str:
    if not others:
        return "nobody else"
    if len(others) == 1:
        return plain(others[0]["player"])
    return f"{len(others)} classmates"


def _they(others: Sequence[Mapping[str, Any]], many: bool) -> str:
    if not others:
        return "-"
    if many:
        return number(sum(row["level"] for row in others) / len(others))
    return action(others[0], "executed")


def _world(row: Mapping[str, Any]) -> str:
    told = [f"{name} {number(value)}" for name, value in published(row).items()]
    return f"   {', '.join(told)}" if told else ""


def action(row: Mapping[str, Any], kind: str) -> str:
    """An action's parts: of `kind` "proposed" or "executed"; a world with fewer leaves some out."""
    keys = sorted(key for key in row if key.startswith(f"{kind}_"))
    return ",".join(str(row[key]) for key in keys if row[key] is not None)


def published(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the world published of this step: name -> value, without what only pictures show."""
    return {
        key.removeprefix("world_"): row[key]
        for key in row
        if key.startswith("world_")
        and not key.startswith(f"world_{ONLY_SEEN}")
        and row[key] is not None
        and row[key] == row[key]
    }
