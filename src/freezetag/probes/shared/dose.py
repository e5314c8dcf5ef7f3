"""Class size as a dose: one reading of an agent in classes of several sizes, and its slope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from freezetag.core import Arm, Array, Figure, Interval, Measurement, Setting
from freezetag.estimators import bootstrap
from freezetag.estimators.bootstrap import Statistic
from freezetag.estimators.estimate import Estimate, bracketed, nothing
from freezetag.probes.shared.harvest import slope

PER = "per e-fold of the class, log(classmates + 1)"
MANY = 3
"""From this multiple of its quick budget on a probe runs classes of all sizes, not two."""


def every_size(setting: Setting, cost: int) -> tuple[int, ...]:
    """The sizes of class, in classmates, that the budget is for: below `MANY` times what the probe
    asks for at size 1 none and all; from there on those of the exam. ( ) in a world of two seats.
    """
    most = setting.substrate.players - 1
    sizes = sorted({min(n, most) for n in setting.sizes})
    least = max(setting.substrate.min_players - 1, 1)
    few = setting.budget < MANY * cost or most < 2
    return () if few else tuple(n for n in sizes if least <= n < sizes[-1])


def sizes_of(setting: Setting, cost: int) -> tuple[int, ...]:
    """The sizes beside the whole class, so that two at least give a slope: the smallest that the
    world lets be, and those of `every_size`. ( ) in a world of two seats."""
    most = min(max(setting.sizes, default=0), setting.substrate.players - 1)
    smallest = max(setting.substrate.min_players - 1, 0)
    if most < 2 or smallest >= most:
        return ()
    return tuple(sorted({smallest, *every_size(setting, cost)}))


def arms(setting: Setting, together: Arm, sizes: tuple[int, ...]) -> dict[tuple[str, int], Arm]:
    """The same as `together` in classes of these sizes, on the same seeds: ("class of", n)."""
    return {
        ("class of", n): replace(
            together,
            scenario=replace(
                together.scenario,
                seating=setting.class_of(n, press=together.scenario.press).seating,
            ),
        )
        for n in sizes
    }


@final
@dataclass(frozen=True)
class Dose:
    """A reading per seed [R] in each class, by its number of classmates; a class may have fewer
    seeds, the first of the others'.

    The slope is that of least squares on log(n + 1), seed by seed, so that seeds pair the classes;
    of two sizes it is their paired difference over log((n' + 1) / (n + 1)). `bounds`: the range of
    a reading, of all classes or of each; `certain`: nothing was left to chance, in all of them or
    in which. A class has no slope if there is one size only.
    """

    by_size: Mapping[int, Array]
    unit: str
    bounds: tuple[float, float] | Mapping[int, tuple[float, float]] | None = None
    certain: bool | Mapping[int, bool] = False

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(sorted(self.by_size))

    def range_of(self, size: int) -> tuple[float, float] | None:
        """Of a reading in this class."""
        return self.bounds.get(size) if isinstance(self.bounds, Mapping) else self.bounds

    def certain_in(self, size: int) -> bool:
        """Whether nothing was left to chance in this class."""
        return self.certain if isinstance(self.certain, bool) else self.certain.get(size, False)

    def slopes(self) -> Array:
        """[R] the slope of each seed that every class has."""
        few = min(map(len, self.by_size.values()))
        readings = np.stack([np.asarray(self.by_size[n][:few], np.float64) for n in self.sizes], -1)
        return slope(np.log1p(self.sizes), readings)

    def row(self, name: str, regime: str = "") -> Measurement:
        """The slope as a row of the card."""
        if len(self.by_size) < 2:
            return Measurement(_named(name), self.unit, nothing("one size of class only"))
        each = self.slopes()
        known = ~np.isnan(each)
        steepest = self._steepest()
        of = (
            bootstrap.mean(
                each[known],
                bounds=steepest,
                deterministic=all(map(self.certain_in, self.sizes)),
            )
            if known.any()
            else nothing("no seed has a reading in every class")
        )
        return Measurement(
            _named(name),
            f"{self.unit}, {PER}",
            of,
            regime=", ".join(filter(None, (_classes(self.sizes), regime))),
            note="least squares, seed by seed; of two sizes their difference says the same",
            samples=tuple(map(float, each[known])),
        )

    def _steepest(self) -> tuple[float, float] | None:
        """The range of a slope: of a sum of readings by weight."""
        low = high = 0.0
        for n, weight in zip(self.sizes, _weights(self.sizes), strict=True):
            if (ends := self.range_of(n)) is None:
                return None
            low += min(weight * end for end in ends)
            high += max(weight * end for end in ends)
        return low, high

    def figure(self, name: str) -> Figure:
        """The reading in each class, with its interval."""
        found = {
            n: bootstrap.mean(
                x[~np.isnan(x)], bounds=self.range_of(n), deterministic=self.certain_in(n)
            )
            for n in self.sizes
            if (~np.isnan(x := np.asarray(self.by_size[n], np.float64))).any()
        }
        return figure(name, self.unit, found)


def pooled_row(
    name: str,
    unit: str,
    by_size: Mapping[int, Array],
    reading: Statistic,
    regime: str,
    bounds: tuple[float, float],
    certain: bool,
) -> Measurement:
    """The slope of a reading that all seeds of a class have together, and none alone: `reading` of
    units [R, ...], over `by_size`. Seeds are drawn anew for all classes at once, which pairs them.
    `bounds`: the range of a reading."""
    sizes, few = tuple(sorted(by_size)), min(map(len, by_size.values()))
    weights = _weights(sizes)

    def steepness(x: Array, axis: int) -> Array:
        found: Array = reading(x, axis=axis) @ weights
        return found

    most = (bounds[1] - bounds[0]) * float(np.maximum(weights, 0).sum())
    units = np.stack([np.asarray(by_size[n][:few], np.float64) for n in sizes], axis=1)
    return Measurement(
        _named(name),
        f"{unit}, {PER}",
        bootstrap.statistic(units, steepness, bounds=(-most, most), deterministic=certain),
        regime=", ".join(filter(None, (_classes(sizes), regime))),
        note="least squares of what the seeds of a class show together, seeds paired",
    )


def slope_of(name: str, unit: str, of: Estimate) -> Measurement:
    """A slope that was not found, with the reason."""
    return Measurement(_named(name), f"{unit}, {PER}", of)


def bracketed_row(name: str, unit: str, by_size: Mapping[int, Estimate]) -> Measurement:
    """The slope of thresholds that are known as brackets: what the ends of all of them allow."""
    known = {n: x for n, x in by_size.items() if x.n and math.isfinite(x.low + x.high)}
    sizes = tuple(sorted(known))
    if len(sizes) < 2 or len(known) < len(by_size):
        return Measurement(
            _named(name), unit, nothing("not found in two classes of different size, or not in all")
        )
    low = high = 0.0
    for n, weight in zip(sizes, _weights(sizes), strict=True):
        ends = sorted((weight * known[n].low, weight * known[n].high))
        low, high = low + ends[0], high + ends[1]
    of = bracketed(low, high, min(known[n].n for n in sizes))
    return Measurement(
        _named(name), f"{unit}, {PER}", of, regime=_classes(sizes), note="least squares of brackets"
    )


def figure(name: str, unit: str, by_size: Mapping[int, Interval]) -> Figure:
    """A value with its interval over the size of the class."""
    sizes = sorted(by_size)
    rows = [by_size[n] for n in sizes]
    ends = (
        f"{rows[0].value:.3g} {_beside(sizes[0])} and {rows[-1].value:.3g} {_beside(sizes[-1])}."
        if rows
        else "not read in any class."
    )
    return Figure(
        "dose_response",
        f"{name[:1].upper()}{name[1:]}, by class size",
        f"It is {ends} Whiskers: 95 % of each class by itself.",
        {
            "size": sizes,
            "value": [row.value for row in rows],
            "low": [row.low for row in rows],
            "high": [row.high for row in rows],
        },
        {"y": unit},
    )


def _beside(n: int) -> str:
    return f"with {n} classmate{'s' * (n > 1)}" if n else "alone"


def _weights(sizes: tuple[int, ...]) -> Array:
    """What the least-squares slope on log(n + 1) weighs each class by."""
    at = np.log1p(np.asarray(sizes, np.float64))
    centred = at - at.mean()
    weights: Array = centred / (centred**2).sum()
    return weights


def _named(name: str) -> str:
    return f"{name}: slope over class sizes"


def _classes(sizes: tuple[int, ...]) -> str:
    return f"classes of {', '.join(str(1 + n) for n in sizes)}"
