"""What worlds on a grid share: a field with walls, walks, beams, and what each player sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Token

STAY, FORWARD, RIGHT, BACKWARD, LEFT, TURN_LEFT, TURN_RIGHT, ZAP, CLEAN = range(9)
"""Moves and turns are seen from the player: `RIGHT` is a step to the right without turning."""
MOVES = (
    "stay",
    "step ahead",
    "step to the right",
    "step back",
    "step to the left",
    "turn left",
    "turn right",
)
MOST = 31
"""Seats at most: the largest class."""
AHEAD, BEHIND, BESIDE = 9, 1, 5
"""Cells that a player sees before it, behind it, and on either side."""
DEEP, WIDE = AHEAD + 1 + BEHIND, 2 * BESIDE + 1
REACH, SPREAD = 3, 1
"""A beam is so long, and so wide on either side of the middle."""
GROUND, WALL, APPLE, BARE, PLAYER, FROZEN, WATER, WASTE = range(8)
"""What a cell of a view shows."""
BITS = 24
"""Yes or no for so many cells fit into a number of single precision exactly."""
_TURN = np.asarray([0, 0, 0, 0, 0, -1, 1, 0, 0], np.int32)
_WAYS = np.asarray([(-1, 0), (0, 1), (1, 0), (0, -1)], np.int32)


@dataclass(frozen=True)
class Field:
    """A field as text, row after row: `#` wall, all else may be walked on. The outermost cells are
    walls. Cells are counted row after row; the first one, a wall, is where absent seats are kept.
    """

    map: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.map)

    @property
    def columns(self) -> int:
        return len(self.map[0])

    def cells(self, signs: str) -> np.ndarray[Any, Any]:
        """[S] the cells with one of these signs."""
        flat = "".join(self.map)
        return np.asarray([i for i, sign in enumerate(flat) if sign in signs], np.int32)

    def index(self, cells: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """[rows * columns] the number of each cell among `cells`, len(cells) for all others."""
        found = np.full(self.rows * self.columns, len(cells), np.int32)
        found[cells] = np.arange(len(cells))
        return found

    @cached_property
    def walls(self) -> np.ndarray[Any, Any]:
        """[rows * columns] bool."""
        return np.asarray([sign == "#" for sign in "".join(self.map)])

    @cached_property
    def steps(self) -> np.ndarray[Any, Any]:
        """[4] what a step up, right, down, left adds to a cell's number."""
        return (_WAYS[:, 0] * self.columns + _WAYS[:, 1]).astype(np.int32)

    @cached_property
    def sight(self) -> np.ndarray[Any, Any]:
        """[4, DEEP * WIDE] by facing, what is added to a cell's number in the field with a rim of
        `AHEAD` cells, the farthest row first."""
        wide = self.columns + 2 * AHEAD
        ahead = np.repeat(np.arange(AHEAD, -BEHIND - 1, -1), WIDE)
        aside = np.tile(np.arange(-BESIDE, BESIDE + 1), DEEP)
        found = []
        for facing in range(4):
            to, right = _WAYS[facing], _WAYS[(facing + 1) % 4]
            row, column = (ahead * to[k] + aside * right[k] for k in range(2))
            found.append(row * wide + column)
        return np.stack(found).astype(np.int32)

    def views(self, shown: Array, place: Array, facing: Array) -> Array:
        """[N, DEEP, WIDE] what each sees of `shown` [rows * columns]: the row farthest ahead first,
        each from its left to its right. What lies beyond the field is wall."""
        grid = jnp.reshape(shown, (self.rows, self.columns))
        rimmed = jnp.pad(grid, AHEAD, constant_values=WALL).ravel()
        row, column = place // self.columns, place % self.columns
        at = (row + AHEAD) * (self.columns + 2 * AHEAD) + column + AHEAD
        seen = rimmed[at[:, None] + jnp.asarray(self.sight)[facing]]
        return seen.reshape(-1, DEEP, WIDE)

    def with_players(self, shown: Array, place: Array, present: Array, frozen: Array) -> Array:
        """`shown` with the players on it."""
        at = jnp.where(present, place, len(self.walls))
        return shown.at[at].set(jnp.where(frozen > 0, FROZEN, PLAYER), mode="drop")

    def starts(self, draw: Array, cells: np.ndarray[Any, Any], present: Array) -> Array:
        """[N] different cells of `cells` [S], by a draw [S]: that of a seat moves with no other."""
        order = jnp.argsort(draw)[: len(present)]
        return jnp.where(present, jnp.asarray(cells)[order], 0).astype(jnp.int32)

    def walk(
        self, place: Array, facing: Array, acts: Array, able: Array, draw: Array
    ) -> tuple[Array, Array]:
        """(place, facing) [N] after all have moved at once.

        A wall, and a cell on which somebody stood before the step, cannot be entered. Of several
        who want the same cell the one with the lowest `draw` [N] gets it.
        """
        target = self.targets(place, facing, acts)
        stood = (target[:, None] == place[None, :]).any(1)
        claims = able & is_step(acts) & ~stood & ~jnp.asarray(self.walls)[target]
        rivals = (target[:, None] == target[None, :]) & claims[None, :]
        beaten = (rivals & (draw[None, :] < draw[:, None])).any(1)
        turned = (facing + jnp.asarray(_TURN)[acts] * able) % 4
        return jnp.where(claims & ~beaten, target, place), turned.astype(jnp.int32)

    def targets(self, place: Array, facing: Array, acts: Array) -> Array:
        """[N] the cell that a step leads to; the own cell for whatever is no step."""
        way = jnp.asarray(self.steps)[(facing + acts - FORWARD) % 4]
        return jnp.where(is_step(acts), place + way, place)

    def relative(self, place: Array, facing: Array, cells: Array) -> tuple[Array, Array]:
        """[N, M] how far ahead of each, and to the right of each, lie cells [M]."""
        row = cells[None, :] // self.columns - (place // self.columns)[:, None]
        column = cells[None, :] % self.columns - (place % self.columns)[:, None]
        to, right = (jnp.asarray(_WAYS)[(facing + turn) % 4] for turn in (0, 1))
        ahead = row * to[:, :1] + column * to[:, 1:]
        return ahead, row * right[:, :1] + column * right[:, 1:]

    def beam(self, place: Array, facing: Array, cells: Array) -> Array:
        """[N, M] bool: these cells [M] lie in the beam of each."""
        ahead, aside = self.relative(place, facing, cells)
        return (ahead >= 1) & (ahead <= REACH) & (jnp.abs(aside) <= SPREAD)

    def towards(
        self, place: Array, facing: Array, target: Array, there: Array, shunned: Array
    ) -> Array:
        """[N] the action that brings each nearer to its `target` [N], along the longer way first;
        `STAY` where there is none (`there` [N] false) or both ways are barred: by a wall, by
        somebody, or by a cell that is `shunned` [rows * columns]."""
        columns = self.columns
        down = target // columns - place // columns
        across = target % columns - place % columns
        ways = jnp.stack([jnp.where(down > 0, 2, 0), jnp.where(across > 0, 1, 3)], axis=1)
        left = jnp.abs(jnp.stack([down, across], axis=1))
        cells = place[:, None] + jnp.asarray(self.steps)[ways]
        taken = (cells[:, :, None] == place[None, None, :]).any(2)
        fine = (left > 0) & ~taken & ~(jnp.asarray(self.walls) | shunned)[cells]
        worth = jnp.where(fine, left, -1)
        best = worth.argmax(1)
        way = jnp.take_along_axis(ways, best[:, None], 1)[:, 0]
        action = FORWARD + (way - facing) % 4
        return jnp.where(there & (worth.max(1) > 0), action, STAY).astype(jnp.int32)

    def nearest(self, place: Array, cells: np.ndarray[Any, Any], those: Array) -> Array:
        """[N] the number of the nearest of `cells` [S] that are `those` [S], by steps."""
        row, column = cells // self.columns, cells % self.columns
        way = jnp.abs(row - (place // self.columns)[:, None])
        way = way + jnp.abs(column - (place % self.columns)[:, None])
        return jnp.where(those, way, 10_000).argmin(1)

    def tokens(self, account: Mapping[str, Any]) -> tuple[Token, ...]:
        """Who stands where and looks where, from what is on record."""
        return tuple(
            Token(seat, *divmod(int(place), self.columns), int(facing), frozen > 0)
            for seat, (place, facing, frozen) in enumerate(
                zip(
                    account["scene_place"],
                    account["scene_facing"],
                    account["frozen"],
                    strict=True,
                )
            )
            if place is not None and place >= 0
        )

    def beams(self, account: Mapping[str, Any], fired: str) -> tuple[tuple[int, int], ...]:
        """The cells that beams went over, from what is on record."""
        lit = set()
        for token in self.tokens(account):
            if account[fired][token.seat]:
                to, right = _WAYS[token.facing], _WAYS[(token.facing + 1) % 4]
                for far in range(1, REACH + 1):
                    for aside in range(-SPREAD, SPREAD + 1):
                        row, column = (
                            int(at + far * to[k] + aside * right[k])
                            for k, at in enumerate((token.row, token.column))
                        )
                        inside = 0 <= row < self.rows and 0 <= column < self.columns
                        if inside and self.map[row][column] != "#":
                            lit.add((row, column))
        return tuple(sorted(lit))

    def where(self, cells: Iterable[Any]) -> tuple[tuple[int, int], ...]:
        """Rows and columns of cells."""
        return tuple(divmod(int(cell), self.columns) for cell in cells)


@lru_cache(maxsize=64)
def field_of(rows: tuple[str, ...]) -> Field:
    """One field per map, so that its tables are made once. Raises `ValueError` for a map that is no
    rectangle within walls."""
    wide = {len(row) for row in rows}
    if len(wide) != 1 or len(rows) < 3:
        raise ValueError(f"a map has 3 rows or more, all as long, got {len(rows)} of {wide}.")
    rim = rows[0] + rows[-1] + "".join(row[0] + row[-1] for row in rows)
    if set(rim) != {"#"}:
        raise ValueError("a map lies within walls: its outermost signs are all #.")
    return Field(rows)


def is_step(acts: Array) -> Array:
    return (acts >= FORWARD) & (acts <= LEFT)


def packed(those: Array) -> dict[int, Array]:
    """Yes or no [S] as numbers, `BITS` in each, by their place."""
    found = {}
    for k in range(-(-those.shape[0] // BITS)):
        part = those[k * BITS : (k + 1) * BITS]
        weights = np.float32(2) ** np.arange(part.shape[0], dtype=np.float32)
        found[k] = (part * weights).sum().astype(jnp.float32)
    return found


def unpacked(account: Mapping[str, Any], name: str, count: int) -> list[bool]:
    """What `packed` held, of so many, on record as `name`_0 and on."""
    return [bool(int(account[f"{name}_{i // BITS}"]) >> i % BITS & 1) for i in range(count)]


def in_words(view: Sequence[Sequence[int]], signs: Mapping[int, str]) -> str:
    """A view as lines of signs, with @ for whoever sees it."""
    lines = [[signs[int(cell)] for cell in row] for row in view]
    lines[AHEAD][BESIDE] = "@"
    return "\n".join("".join(line) for line in lines)
