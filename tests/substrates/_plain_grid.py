"""Walks, beams and views on a grid in plain Python, written apart from `substrates/_grid.py`."""

from __future__ import annotations

from collections.abc import Sequence

Cell = tuple[int, int]
UP, RIGHT, DOWN, LEFT = (-1, 0), (0, 1), (1, 0), (0, -1)
WAYS = (UP, RIGHT, DOWN, LEFT)
# stay, ahead, right, back, left, turn left, turn right, zap, clean
STEPS = {1: 0, 2: 1, 3: 2, 4: 3}
TURNS = {5: -1, 6: 1}


def add(cell: Cell, way: Cell, times: int = 1) -> Cell:
    return cell[0] + times * way[0], cell[1] + times * way[1]


class Board:
    """Who stands where on a map; players are by seat, None for an empty one."""

    def __init__(
        self, rows: Sequence[str], at: Sequence[Cell | None], facing: Sequence[int]
    ) -> None:
        self.rows, self.at, self.facing = rows, list(at), list(facing)

    def wall(self, cell: Cell) -> bool:
        inside = 0 <= cell[0] < len(self.rows) and 0 <= cell[1] < len(self.rows[0])
        return not inside or self.rows[cell[0]][cell[1]] == "#"

    def move(self, acts: Sequence[int], order: Sequence[float]) -> None:
        """All at once; whoever comes first in the order gets a cell that several want."""
        before, taken = [cell for cell in self.at if cell is not None], set()
        for seat in sorted(range(len(acts)), key=lambda n: order[n]):
            here = self.at[seat]
            if here is None:
                continue
            if acts[seat] in STEPS:
                wanted = add(here, WAYS[(self.facing[seat] + STEPS[acts[seat]]) % 4])
                if not self.wall(wanted) and wanted not in before and wanted not in taken:
                    taken.add(wanted)
                    self.at[seat] = wanted
            self.facing[seat] = (self.facing[seat] + TURNS.get(acts[seat], 0)) % 4

    def beam(self, seat: int) -> set[Cell]:
        """Three cells ahead, and one on either side of each."""
        way = WAYS[self.facing[seat]]
        aside = WAYS[(self.facing[seat] + 1) % 4]
        here = self.at[seat]
        assert here is not None
        return {add(add(here, way, far), aside, off) for far in (1, 2, 3) for off in (-1, 0, 1)}

    def sees(self, seat: int, shown: dict[Cell, int]) -> list[list[int]]:
        """11 x 11, the farthest row ahead first; beyond the field is wall (1)."""
        here = self.at[seat]
        assert here is not None
        way = WAYS[self.facing[seat]]
        aside = WAYS[(self.facing[seat] + 1) % 4]
        return [
            [
                1 if self.wall(cell) else shown.get(cell, 0)
                for off in range(-5, 6)
                for cell in [add(add(here, way, far), aside, off)]
            ]
            for far in range(9, -2, -1)
        ]
