"""A sweep: cells that are missing are run, wherever that is; then the store and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from freezetag.catalogue import Unknown
from freezetag.core import Panel, UserError
from freezetag.exam import calls
from freezetag.exam.exam import DEFAULT_PANEL
from freezetag.exam.parquet import CannotWrite
from freezetag.exam.plan import budget, plan
from freezetag.exam.resolve import Resolved, resolve
from freezetag.exam.spec import Spec
from freezetag.sim.foreign import Foreign
from freezetag.sweep import page
from freezetag.sweep.cell import Cell, Outcome
from freezetag.sweep.folder import REQUEST, RESULTS, SweepFolder
from freezetag.sweep.place import Place
from freezetag.sweep.request import Request
from freezetag.sweep.results import write_results
from freezetag.sweep.table import Table, pooled


@dataclass(frozen=True)
class Cost:
    """What exams may take at most, together: acts of their agents, and paid calls of models."""

    acts: int = 0
    calls: int = 0


class Watching(Protocol):
    """Who is told how a sweep goes on."""

    def begun(self, cells: int, kept: int, cost: Cost, place: str) -> None: ...
    def done(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Swept:
    """What a sweep came to: an outcome for each cell that has one, in the order of the request.

    `cells` is how many there are to be; `full` why nothing more could be written, or "".
    """

    outcomes: tuple[Outcome, ...]
    cells: int
    full: str = ""

    @property
    def partial(self) -> bool:
        """Whether cells are missing, because it was interrupted."""
        return len(self.outcomes) < self.cells

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.card is None)

    @cached_property
    def table(self) -> Table:
        return pooled(self.outcomes)


def cost_of(cells: Sequence[Cell]) -> Cost:
    """What these exams may take at most.

    Raises what naming worlds and probes raises, and, where no agent could be examined at all, the
    first one's `UserError`: what is wrong with one agent of many is a row of that one.
    """
    known: dict[Any, Cost] = {}
    found, problems = list[Cost](), list[UserError]()
    for cell in cells:
        try:
            found.append(_cost(cell.spec, known))
        except Unknown:
            raise
        except UserError as error:
            problems.append(error)
    if problems and not found:
        raise problems[0]
    return Cost(sum(one.acts for one in found), sum(one.calls for one in found))


def _cost(spec: Spec, known: dict[Any, Cost]) -> Cost:
    found = resolve(spec.agent, spec.panel(), spec.step_seconds)
    policy = found.pupil.policy
    # Agents in processes of their own are planned alike but for the adapter's world.
    key = (found.adapter, policy.scheme) if isinstance(policy, Foreign) else spec.agent
    if key not in known:
        paid = calls.budget(spec, found.adapter)
        known[key] = Cost(budget(plan(spec, _fitted(found))), paid or 0)
    return known[key]


def _fitted(found: Resolved) -> Resolved:
    if found.is_log or found.pupil.panel.interlocks:
        return found
    panel: Panel = DEFAULT_PANEL
    return replace(found, pupil=replace(found.pupil, panel=panel))


def sweep(
    request: Request,
    folder: SweepFolder,
    place: Place,
    watching: Watching,
    cells: Sequence[Cell] | None = None,
) -> Swept:
    """Run the cells that `folder` does not hold yet, then write the store and the page.

    On Ctrl-C, and when the disk is full, those of what was measured by then are written, if that
    can be. An agent that fails, and a process that is killed, are rows.
    """
    cells = request.cells() if cells is None else cells
    folder.write_new({REQUEST: request.to_toml()})
    ends: dict[str, Outcome] = {}
    missing = []
    for cell in cells:
        if (card := cell.card(folder.cells)) is not None:
            ends[cell.id] = Outcome(cell, card)
        else:
            missing.append(cell)
    # Every agent's first seed first: what is compiled for it is there for the others.
    missing.sort(key=lambda cell: request.seeds.index(cell.spec.seed))
    watching.begun(len(cells), len(ends), cost_of(missing), str(place))
    full = ""
    try:
        if missing:
            full = _run(missing, folder.cells, place, ends, watching.done)
    except KeyboardInterrupt:
        pass
    outcomes = tuple(ends[cell.id] for cell in cells if cell.id in ends)
    swept = Swept(outcomes, len(cells), full)
    try:
        if outcomes:
            write_results(outcomes, folder.path / RESULTS)
            folder.write(page.write_pages(swept.table, request, swept.cells))
    except CannotWrite as error:
        return Swept(outcomes, len(cells), full or str(error))
    return swept


def _run(
    missing: Sequence[Cell],
    cells: Path,
    place: Place,
    ends: dict[str, Outcome],
    done: Callable[[Outcome], None],
) -> str:
    """Why no more could be written; "" after the last one."""
    with place.outcomes(missing, cells) as outcomes:
        for outcome in outcomes:
            if outcome.full:
                return outcome.reason
            if outcome.cut:
                raise KeyboardInterrupt
            ends[outcome.cell.id] = outcome
            done(outcome)
    return ""
