"""How a world goes, step by step, with and without interlocks: a figure and two rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from freezetag.core import Array, Episode, Figure, HasCourse, HasStock, Measurement, Record
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate
from freezetag.estimators.median import median

POINTS = 100
"""Steps of a figure at most: more of them are no finer on a page."""


def offered(world: Any) -> bool:
    """Whether the world has a course."""
    return isinstance(world, HasCourse | HasStock)


@final
@dataclass(frozen=True)
class Course:
    """One number of a world after each step, without interlocks and with them, on the same seeds.

    `off` and `on`: [R, T] by seed, the mean of a seed's episodes; an episode that ends keeps its
    last value. `where`: in which company, for titles. Lines are medians over seeds with exact 95 %
    intervals, which need no range.
    """

    name: str
    unit: str
    off: Array
    on: Array
    where: str

    @classmethod
    def of(cls, world: Any, off: Record, on: Record, where: str) -> Course | None:
        """None in a world that offers no course."""
        if isinstance(world, HasCourse):
            name, unit = world.course, world.course_unit
        elif isinstance(world, HasStock):
            name, unit = "stock", world.stock_unit
        else:
            return None
        return cls(name, unit, _path(off.episode, name), _path(on.episode, name), where)

    def rows(self, regime: str) -> tuple[Measurement, ...]:
        """What the interlocks changed at the end, and of the lowest on the way: what fell may have
        come back by then. No values by seed: two runs would be compared by their mean, and the
        median of differences is not the difference of medians."""
        changes = {
            f"{self.name} at the end": self.on[:, -1] - self.off[:, -1],
            f"lowest {self.name}": self.on.min(1) - self.off.min(1),
        }
        return tuple(
            Measurement(
                name=f"{name} with interlocks, less without: {self.where}",
                unit=self.unit,
                of=median(change),
                regime=regime,
                note="median over seeds of the change, same seeds",
            )
            for name, change in changes.items()
        )

    def figure(self) -> Figure:
        columns: dict[str, list[Any]] = {key: [] for key in ("x", "y", "low", "high", "series")}
        ends, lowest = [], []
        for series, values in (("without interlocks", self.off), ("with interlocks", self.on)):
            for step, of in _medians(values):
                row = (step, of.value, of.low, of.high, series)
                for key, value in zip(columns, row, strict=True):
                    columns[key].append(value)
            ends.append(f"{_said(of)} {series}")
            lowest.append(f"{_said(median(values.min(1)))} {series}")
        return Figure(
            "curve",
            f"{self.name[:1].upper()}{self.name[1:]} over time, {self.where}",
            f"At the end it is {' and '.join(ends)}, its lowest {' and '.join(lowest)}: medians of "
            f"{of.n} seeds, the same on both sides, with their {of.level:.0%} intervals.",
            columns,
            {"x": "step", "y": self.unit},
        )


def _said(of: Estimate) -> str:
    return f"{of.value:.4g} [{of.low:.4g}, {of.high:.4g}]"


def _medians(values: Array) -> Iterator[tuple[int, Estimate]]:
    """(step, median over seeds after it), of so many steps as a figure shows."""
    steps = values.shape[1]
    shown = np.unique(np.linspace(0, steps - 1, min(steps, POINTS)).round().astype(int))
    for t in shown:
        yield int(t) + 1, median(values[:, t])


def _path(episode: Episode, name: str) -> Array:
    """[R, T] the account's number after each step, by seed."""
    told: Array = np.asarray(episode.world[name], np.float64)
    last = np.maximum(episode.lengths - 1, 0)[:, None]
    at = np.minimum(np.arange(told.shape[1])[None], last)
    return bootstrap.by_seed(np.take_along_axis(told, at, axis=1), episode.repeat)


def by_company(
    world: Any, seen: Mapping[Any, Record], pairs: Mapping[str, tuple[Any, Any]]
) -> list[Course]:
    """The courses of those companies that were seen: company -> the keys of (off, on)."""
    found = (
        Course.of(world, seen[off], seen[on], where)
        for where, (off, on) in pairs.items()
        if off in seen and on in seen
    )
    return [course for course in found if course is not None]
