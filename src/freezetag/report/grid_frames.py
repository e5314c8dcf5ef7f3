"""An episode on a grid as a film: a picture per step, played by a small script or by hand.

Without scripts there is a strip of stills. All that comes from a record is a number or is escaped;
the script is ours, and the page's policy allows it alone, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from freezetag.core import HasScene, Scene, Token
from freezetag.core.scene import APPLE, BARE, BEAM, NOWHERE, SPRAY, WALL, WASTE, WATER
from freezetag.report import html, palette, words

FRAMES = 400
"""Steps that are shown at most."""
STILLS = 6
CELL = 10
"""Units of the picture that a cell is wide."""
_ORDER = (WATER, WALL, BARE, WASTE, APPLE, BEAM, SPRAY)
"""What lies below what; kinds that are not known here lie on top, as plain squares."""


@dataclass(frozen=True)
class Film:
    """What a page needs to show a film: markup, styles, and the hash that lets its script run."""

    markup: Markup
    css: Markup
    hash: str


def film(rows: Sequence[Mapping[str, Any]], world: HasScene, seat: int = 0) -> Film | None:
    """The film of one episode; None for rows without what the world's scenes are drawn from.

    `rows` are those of `episodes.parquet` for one episode, as for `playthrough.lines`; `seat` is
    from whose seat it is told: it has a ring of its own. At most `FRAMES` steps are shown.
    """
    steps = sorted({row["step"] for row in rows})
    by_step: dict[int, dict[int, Mapping[str, Any]]] = {step: {} for step in steps}
    for row in rows:
        by_step[row["step"]][row["seat"]] = row
    shown = steps[:FRAMES]
    seats = 1 + max(row["seat"] for row in rows)
    try:
        scenes = [world.scene(_account(by_step[step], seats)) for step in shown]
    except (KeyError, TypeError, ValueError):
        return None  # an older run, which did not record them
    players = {row["seat"]: words.plain(row["player"]) for row in rows}
    sums = dict.fromkeys(players, 0.0)
    told = []
    for step in shown:
        for n, row in by_step[step].items():
            sums[n] += row["reward"]
        held = [n for n, row in by_step[step].items() if row["mode"]]
        told.append((step, [round(sums[n], 2) for n in players], held))
    lasting, passing = _cells(scenes)
    each = [set(_listed(scene)) for scene in scenes]
    first = scenes[0]
    base = Markup("").join(_use(kind, row, column) for kind, row, column in lasting)
    strip = [
        (told[i][0], _still(scenes[i], set(lasting), told[i][2]))
        for i in sorted({round(k * (len(scenes) - 1) / (STILLS - 1)) for k in range(STILLS)})
    ]
    data = {
        "steps": shown,
        "on": [[int(cell in there) for cell in passing] for there in each],
        "tokens": _tracks(scenes),
        "counts": [{k: round(float(x), 2) for k, x in s.counts.items()} for s in scenes],
        "sums": [sums for _, sums, _ in told],
        "held": [held for _, _, held in told],
    }
    markup = html.template("grid_frames").render(
        cell=CELL,
        rows=first.rows,
        columns=first.columns,
        base=base,
        passing=[(kind, row * CELL, column * CELL) for kind, row, column in passing],
        known=_ORDER,
        tokens=_keys(scenes),
        seat=seat,
        colour=colour,
        players=players,
        strip=strip,
        counts=list(first.counts),
        curve=_curve([scene.counts for scene in scenes]),
        left_out=len(steps) - len(shown),
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
        script=Markup(_text("grid_frames.js")),
    )
    return Film(Markup(markup), Markup(_text("grid_frames.css")), _hash())


def colour(seat: int) -> str:
    """The colour of a seat, as CSS has it; seats have numbers too, since colours come again."""
    return f"var(--{palette.SERIES[seat % len(palette.SERIES)]})" if seat >= 0 else "var(--soft)"


def _account(rows: Mapping[int, Mapping[str, Any]], seats: int) -> dict[str, Any]:
    """What the world published of a step: values that differ by seat as lists.

    A row per seat holds a value that is the same for all too, so each name has both forms, and a
    scene reads the one that it published: a list is a number as well where it is asked to be one.
    """
    names = {key for row in rows.values() for key in row if key.startswith("world_")}
    found: dict[str, Any] = {}
    for key in names:
        column = [rows[n].get(key) if n in rows else None for n in range(seats)]
        found[key.removeprefix("world_")] = _Column(column)
    return found


class _Column(list[Any]):
    """A column by seat that can be read as the one number that all its rows hold."""

    def __float__(self) -> float:
        return float(next((x for x in self if x is not None), "nan"))

    def __int__(self) -> int:
        return int(float(self))


def _listed(scene: Scene) -> list[tuple[str, int, int]]:
    """(kind, row, column) of all cells of a scene, the lowest first."""
    kinds = [*(k for k in _ORDER if k in scene.cells), *(k for k in scene.cells if k not in _ORDER)]
    return [(kind, row, column) for kind in kinds for row, column in scene.cells[kind]]


def _cells(scenes: Sequence[Scene]) -> tuple[list[Any], list[Any]]:
    """Cells that are there in every picture, and those that come or go, each the lowest first."""
    each = [set(_listed(scene)) for scene in scenes]
    always, ever = set.intersection(*each), set.union(*each)
    rank = {kind: i for i, kind in enumerate(_ORDER)}
    order = sorted(ever, key=lambda cell: (rank.get(cell[0], len(rank)), *cell))
    return [c for c in order if c in always], [c for c in order if c not in always]


def _keys(scenes: Sequence[Scene]) -> list[tuple[str, int, int]]:
    """(kind, seat, number among its like) of all tokens there ever are, the lowest first."""
    found: dict[tuple[str, int, int], None] = {}
    for scene in scenes:
        found |= dict.fromkeys(_numbered(scene))
    return list(found)


def _numbered(scene: Scene) -> dict[tuple[str, int, int], Token]:
    found: dict[tuple[str, int, int], Token] = {}
    for token in scene.tokens:
        like = sum(key[:2] == (token.kind, token.seat) for key in found)
        found[token.kind, token.seat, like] = token
    return found


def _tracks(scenes: Sequence[Scene]) -> list[list[Any]]:
    """For each of `_keys`, per picture: [row, column, facing, frozen], or 0 where it is not."""
    each = [_numbered(scene) for scene in scenes]
    return [
        [
            [t.row, t.column, t.facing, int(t.still)] if (t := found.get(key)) is not None else 0
            for found in each
        ]
        for key in _keys(scenes)
    ]


def _use(kind: str, row: int, column: int) -> Markup:
    sign = kind if kind in _ORDER else "other"
    return Markup('<use href="#film-{}" x="{}" y="{}"/>').format(sign, column * CELL, row * CELL)


def _still(scene: Scene, lasting: set[tuple[str, int, int]], held: Sequence[int]) -> Markup:
    cells = [_use(*cell) for cell in _listed(scene) if cell not in lasting]
    tokens = [
        Markup(
            '<g class="token{}" style="transform:translate({}px,{}px);--own:{}">'
            '<use href="#film-{}"/>{}<text x="5" y="6.4">{}</text></g>'
        ).format(
            (" frozen" if token.still else "")
            + (" held" if token.seat in held and token.kind == "player" else ""),
            token.column * CELL,
            token.row * CELL,
            colour(token.seat),
            "coin" if token.kind == "coin" else "player",
            Markup('<use class="eyes" href="#film-eyes" style="transform:rotate({}deg)"/>').format(
                90 * token.facing
            )
            if token.facing != NOWHERE
            else "",
            token.seat if token.kind == "player" else "",
        )
        for token in scene.tokens
    ]
    return Markup("").join([*cells, *tokens])


def _curve(counts: Sequence[Mapping[str, float]]) -> Mapping[str, tuple[str, str]]:
    """name -> (a line through all pictures in a box of 100 x 20, its largest value in words)."""
    found = {}
    for name in counts[0]:
        values = [count[name] for count in counts]
        top, last = max(*values, 1e-9) if len(values) > 1 else 1.0, max(len(values) - 1, 1)
        line = " ".join(
            f"{100 * i / last:.2f},{19 - 18 * x / top:.2f}" for i, x in enumerate(values)
        )
        found[name] = (line, words.number(top))
    return found


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _hash() -> str:
    digest = hashlib.sha256(_text("grid_frames.js").encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
