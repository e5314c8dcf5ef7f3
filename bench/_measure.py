"""What every bench does alike: repeat, spread, versions, the machine and its load."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Seconds by the wall clock and of processor time of this process, repeat by repeat."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def per(self, units: float, scale: float = 1.0) -> Timing:
        """The same, for each of `units`, times `scale`."""
        each = scale / units
        return Timing(tuple(t * each for t in self.wall), tuple(t * each for t in self.cpu))

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def median_cpu(self) -> float:
        return statistics.median(self.cpu)

    def __str__(self) -> str:
        low, high = min(self.wall), max(self.wall)
        return f"{low:10.4g} {self.median:10.4g} {high:10.4g}   cpu {self.median_cpu:10.4g}"


def timed(work: Callable[[], Any], repeats: int, warm: bool = True) -> Timing:
    """Time `work` this often, after one run that does not count (unless not `warm`)."""
    if warm:
        work()
    wall, cpu = [], []
    for _ in range(repeats):
        begin, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - used)
    return Timing(tuple(wall), tuple(cpu))


def by_turns(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, Timing]:
    """Time several works, one after the other and all over again, so that a change of the
    machine's load meets all of them."""
    for work in works.values():
        work()
    found: dict[str, list[Timing]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            found[name].append(timed(work, 1, warm=False))
    return {
        name: Timing(tuple(t.wall[0] for t in runs), tuple(t.cpu[0] for t in runs))
        for name, runs in found.items()
    }


def head(claim: str, *packages: str) -> None:
    """Print what is measured, on what."""
    print(claim)
    versions = ", ".join(f"{name} {version(name)}" for name in ("freezetag", *packages))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{versions}, Python {platform.python_version()}")
    print(f"{date.today()}, {os.cpu_count()} cores, load {load}")


def table(unit: str, rows: dict[str, Timing]) -> None:
    """Print min, median and max of each, and the processor time of the median repeat."""
    print(f"{unit:<42} {'min':>10} {'median':>10} {'max':>10}")
    for name, timing in rows.items():
        print(f"  {name:<40} {timing}")


def ratio(name: str, theirs: Timing, ours: Timing, goal: float | None = None) -> float:
    """Print how many times less of it we need; repeats are compared in the order they ran."""
    if len(theirs.wall) == len(ours.wall):
        each = [a / b for a, b in zip(theirs.wall, ours.wall, strict=True)]
        spread = f"{min(each):,.0f} to {max(each):,.0f} over {len(each)} repeats"
    else:
        low, high = min(theirs.wall) / max(ours.wall), max(theirs.wall) / min(ours.wall)
        spread = f"{low:,.0f} to {high:,.0f}, slowest and fastest repeats"
    found = theirs.median / ours.median
    cpu = theirs.median_cpu / ours.median_cpu
    said = "" if goal is None else f"  goal {goal:g}: {'met' if found >= goal else 'MISSED'}"
    print(f"{name}: {found:,.0f} times ({spread}; processor time {cpu:,.0f} times){said}")
    return found


def checked(what: str, holds: bool) -> None:
    """Print a check that held. Raises SystemExit for one that did not: then no timing counts."""
    if not holds:
        raise SystemExit(f"check failed: {what}")
    print(f"checked: {what}")
