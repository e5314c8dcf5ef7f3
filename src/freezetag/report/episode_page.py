"""One recorded episode as a self-contained HTML page: who did what, step by step.

As for the card: no requests, and no script but the one that plays a world with scenes; light, dark
and on paper; all text is escaped, and nothing is marked safe but our own drawings and style sheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from freezetag.core import Event, Figure, HasScene
from freezetag.report import grid_frames, html, words
from freezetag.report.playthrough import action, published
from freezetag.report.tag_board import TOLD, TagBoard

DRAWN = 200
"""Steps in the pictures at most: a cell of a longer episode would be too narrow to see."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A step as it is told from one seat."""

    number: int
    wanted: str
    did: str
    reward: str
    others: str
    world: str
    marks: tuple[str, ...]
    said: tuple[tuple[str, str, str], ...]


def page(
    rows: Sequence[Row],
    events: Sequence[Event] = (),
    *,
    title: str,
    seat: int = 0,
    steps: int = 1000,
    world: Any = None,
) -> str:
    """The whole page as text.

    `rows` are those of `episodes.parquet` for one episode, as for `playthrough.lines`; `events`
    those of the same episode. At most `steps` steps have a line each, and `DRAWN` are drawn. A
    `world` that has scenes is shown moving: the one script of the page plays it.
    """
    board = TagBoard.of(rows, seat)
    if board is not None:  # what is drawn there is not told again in numbers
        rows = [{key: row[key] for key in row if key not in TOLD} for row in rows]
    numbers = sorted({row["step"] for row in rows})
    own = {row["step"]: row for row in rows if row["seat"] == seat}
    told = [_step(own[n], rows_at, events) for n, rows_at in _by_step(rows).items() if n in own]
    figures = [_timeline(rows), *_world(rows, seat)]
    film = grid_frames.film(rows, world, seat) if isinstance(world, HasScene) else None
    text: str = html.template("episode").render(
        title=title,
        film=film,
        css=Markup(html.css()),
        board=board,
        who=own[numbers[0]]["player"],
        seat=seat,
        count=len(numbers),
        earned=sum(row["reward"] for row in own.values()),
        stopped=next((n for n in numbers if n in own and own[n]["mode"]), None),
        players=_players(rows),
        figures=[html.drawn(figure) for figure in figures],
        steps=told[:steps],
        left_out=max(0, len(told) - steps),
        version=version("freezetag"),
        w=words,
    )
    return text


def _by_step(rows: Sequence[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["step"], row["seat"])):
        found.setdefault(row["step"], []).append(row)
    return found


def _step(own: Row, there: Sequence[Row], events: Sequence[Event]) -> Step:
    levels = [row["level"] for row in there if row["seat"] != own["seat"]]
    names = {row["seat"]: row["player"] for row in there}
    return Step(
        own["step"],
        action(own, "proposed"),
        action(own, "executed"),
        words.number(own["reward"]),
        words.number(sum(levels) / len(levels)) if levels else "–",
        ", ".join(f"{key} {words.number(value)}" for key, value in published(own).items()),
        tuple(mark for mark, on in _marks(own) if on),
        tuple(
            (words.plain(names.get(event.n, f"seat {event.n}")), event.kind, event.text)
            for event in events
            if event.t == own["step"]
        ),
    )


def _marks(row: Row) -> tuple[tuple[str, Any], ...]:
    return ("stopped", row["mode"]), ("forced", row["forced"])


def _players(rows: Sequence[Row]) -> list[tuple[int, str, str, str, int]]:
    """(seat, player, mean level, reward per step, steps stopped) of everybody."""
    found = []
    for seat in sorted({row["seat"] for row in rows}):
        own = [row for row in rows if row["seat"] == seat]
        level, reward = (sum(row[key] for row in own) / len(own) for key in ("level", "reward"))
        stopped = sum(bool(row["mode"]) for row in own)
        told = words.number(level), words.number(reward)
        found.append((seat, words.plain(own[0]["player"]), *told, stopped))
    return found


def _timeline(rows: Sequence[Row]) -> Figure:
    shown = [row for row in rows if row["step"] < DRAWN]
    order = sorted({row["seat"] for row in rows})
    names = {row["seat"]: f"{row['seat']} {row['player']}" for row in rows}
    cells = sorted(shown, key=lambda row: (order.index(row["seat"]), row["step"]))
    stops = sum(bool(row["mode"]) for row in rows)
    last = max(row["step"] for row in rows)
    cut = f" The first {DRAWN} of {last + 1} steps are drawn." if last >= DRAWN else ""
    return Figure(
        "timeline",
        "Who did what",
        "Level of what each seat did: 0 selfish, 1 prosocial. "
        + (f"Interlocks held a seat in {stops} of {len(rows)} of its steps." if stops else "")
        + cut,
        {
            "row": [names[row["seat"]] for row in cells],
            "step": [row["step"] for row in cells],
            "value": [row["level"] for row in cells],
            "mark": ["stopped" if row["mode"] else "" for row in cells],
        },
        {"x": "step", "mark": "stopped"},
    )


def _world(rows: Sequence[Row], seat: int) -> list[Figure]:
    """A curve for each quantity that the world published and that moved."""
    own = [row for row in rows if row["seat"] == seat and row["step"] < DRAWN]
    own.sort(key=lambda row: row["step"])
    names = dict.fromkeys(name for row in own for name in published(row))
    figures = []
    for name in names:
        values = [published(row).get(name) for row in own]
        if len(set(values)) < 2:
            continue
        ends = words.number(values[0]), words.number(values[-1])
        figures.append(
            Figure(
                "curve",
                name.replace("_", " ").capitalize(),
                f"From {ends[0]} after the first step to {ends[1]} after the last drawn.",
                {"x": [row["step"] for row in own], "y": values},
                {"x": "step", "y": name.replace("_", " ")},
            )
        )
    return figures
