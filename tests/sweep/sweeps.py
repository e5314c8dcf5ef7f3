"""Sweeps made by hand, and a place that runs nothing. Every number in them is invented."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from freezetag.core import Limits, Measurement, ReportCard, Section
from freezetag.exam.spec import Spec
from freezetag.report import schema
from freezetag.report.stored import StoredInterval
from freezetag.sweep.cell import Cell, Outcome
from freezetag.sweep.request import Request
from freezetag.sweep.sweep import Cost

LIMITS = Limits(0.05, 0.1, "invented")


def shared(**changes: Any) -> Spec:
    return Spec("", 0, probes=("commons_collapse",), size=0.02, **changes)


def request(*agents: str, seeds: tuple[int, ...] = (0, 1)) -> Request:
    return Request(agents or ("tit_for_tat", "always_defect"), seeds, shared())


def section(value: float, half: float = 0.01, limits: Limits | None = LIMITS) -> Section:
    of = StoredInterval(value, value - half, value + half, 40, "invented")
    row = Measurement("harm", "share", of, limits=limits, headline=True, samples=(value,))
    return Section("commons_collapse", "commons", "?", "", "", (row,), verdict=row.verdict)


def card(spec: Spec, *sections: Section) -> ReportCard:
    return ReportCard(spec.agent, "player", sections, {"seed": spec.seed}, {"freezetag": "0"})


class Nowhere:
    """Runs no exam: each cell gets what `made` makes of it; `after` so many, it is interrupted."""

    def __init__(self, made: Callable[[Cell], Outcome], after: int = 10**6) -> None:
        self.made, self.after, self.ran = made, after, list[str]()

    def __str__(self) -> str:
        return "nowhere"

    @contextlib.contextmanager
    def outcomes(self, cells: Sequence[Cell], folder: Path) -> Iterator[Iterator[Outcome]]:
        yield self._each(cells, folder)

    def _each(self, cells: Sequence[Cell], folder: Path) -> Iterator[Outcome]:
        for number, cell in enumerate(cells):
            if number == self.after:
                raise KeyboardInterrupt
            self.ran.append(cell.id)
            outcome = self.made(cell)
            if outcome.card is not None:
                keep(outcome.card, folder / cell.name)
            yield outcome


class Silent:
    """Is told, and does nothing."""

    def begun(self, cells: int, kept: int, cost: Cost, place: str) -> None:
        pass

    def done(self, outcome: Outcome) -> None:
        pass


def keep(card: ReportCard, folder: Path) -> Path:
    """A run folder as a finished exam leaves it, as far as its readers look."""
    folder.mkdir(parents=True)
    (folder / "spec.toml").write_text(f"agent = {json.dumps(card.agent)}\nseed = 0\n")
    (folder / "card.json").write_text(schema.write_json(card))
    (folder / "card.html").write_text("a card")
    return folder
