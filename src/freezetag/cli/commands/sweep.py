"""Examine many agents under several seeds: one store, and one page that opens each card."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from freezetag.cli.exam_options import ASKED_NOTHING, ExamOptions
from freezetag.cli.whole import Whole
from freezetag.estimators._cores import cores
from freezetag.exam.spec import BadSpec
from freezetag.report.words import number, plain
from freezetag.sweep.cell import Cell, Outcome
from freezetag.sweep.folder import PAGE, REQUEST, RESULTS, SweepFolder
from freezetag.sweep.local import Local
from freezetag.sweep.on_ray import OnRay
from freezetag.sweep.place import Place, threads_of
from freezetag.sweep.request import SEEDS, Request, seeds_of
from freezetag.sweep.results import FAILED
from freezetag.sweep.sweep import Cost, Swept, cost_of
from freezetag.sweep.sweep import sweep as run
from freezetag.sweep.terminal import as_json, print_table

Text = Annotated[str, Parameter(show_default=False)]


def sweep(
    *agents: Annotated[str, Parameter(show_default=False)],
    asked: ExamOptions = ASKED_NOTHING,
    seeds: Text = "",
    seed: Whole = 0,
    jobs: Whole | None = None,
    threads: Whole | None = None,
    on: Literal["local", "ray"] = "local",
    ray_address: Text = "",
    out: Path | None = None,
    resume: Path | None = None,
    json_: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Examine each agent under each seed, and show them side by side.

    Parameters
    ----------
    agents
        any number of: what examine takes, a pattern ('axelrod:*', 'tit_*', 'reciprocators/*'), a
        family (reciprocators), a folder of agent files; or one sweep.toml
    seeds
        how many (default 3: 0, 1, 2), or which: 3,8,21
    seed
        the first of them, where --seeds says how many
    jobs
        how many exams run at a time; default: one for each core
    threads
        what each of them may use; default: the cores there are, shared out
    on
        processes of this machine, or Ray
    ray_address
        of a Ray cluster; without it Ray is started on this machine
    out
        the folder; default: the next free one under runs/
    resume
        run what is missing in this folder of an earlier sweep
    json_
        print the table as JSON
    """
    place = _place(on, jobs, threads, ray_address)

    def note(text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)

    if resume is not None:
        if agents or asked != ASKED_NOTHING or seeds or seed or out is not None:
            raise BadSpec("--resume takes the agents and all options from the sweep's sweep.toml.")
        with SweepFolder.resume(resume) as folder:
            request = Request.read(resume / REQUEST, note, written_out=True)
            return _run(request, request.cells(), folder, place, json_)
    request = _request(agents, asked, seeds, seed, note)
    cells = request.cells()
    cost_of(cells)  # what is wrong with the request is known before a folder is made
    with SweepFolder.create(out) as folder:
        return _run(request, cells, folder, place, json_)


def _request(agents: Any, asked: ExamOptions, seeds: str, seed: int, note: Any) -> Request:
    tomls = [agent for agent in agents if agent.endswith(".toml")]
    if tomls:
        if len(agents) > 1 or asked != ASKED_NOTHING or seeds or seed:
            raise BadSpec(f"{tomls[0]} names agents, seeds and all options itself: give it alone.")
        return Request.read(Path(tomls[0]), note)
    if not agents:
        raise BadSpec(
            "say which agents to examine, for instance: freezetag sweep tit_for_tat grudger, or "
            "freezetag sweep 'axelrod:*' --seeds 5"
        )
    chosen = seeds_of(seeds or SEEDS, note, seed)
    return Request.of(tuple(agents), chosen, asked.spec("", 0), note)


def _place(on: str, jobs: int | None, threads: int | None, address: str) -> Place:
    if jobs is None:
        jobs = max(1, cores() // threads) if threads and threads > 0 else cores()
    for name, value in (("--jobs", jobs), ("--threads", threads)):
        if value is not None and value < 1:
            raise BadSpec(f"{name} is at least 1, got {value}.")
    threads = threads or threads_of(jobs)
    if on == "ray":
        return OnRay(jobs, threads, address)
    if address:
        raise BadSpec("--ray-address goes with --on ray.")
    return Local(jobs, threads)


def _run(
    request: Request, cells: Sequence[Cell], folder: SweepFolder, place: Place, as_json_: bool
) -> int:
    watching = _Lines(len(request.agents), len(request.seeds))
    swept = run(request, folder, place, watching, cells)
    if as_json_:
        print(json.dumps(as_json(swept), indent=1, allow_nan=False))
    elif swept.outcomes:
        print_table(swept.table)
    where = folder.path
    if not as_json_ and swept.outcomes and (where / PAGE).exists():
        print(f"page {where / PAGE}   data {where / RESULTS}   request {where / REQUEST}")
    return _code(swept, where)


def _code(swept: Swept, where: Path) -> int:
    again = f"go on with: freezetag sweep --resume {where}"
    if swept.full:
        print(f"freezetag: {swept.full} What was measured is kept; {again}", file=sys.stderr)
        return 3
    if swept.partial:
        kept = f"{len(swept.outcomes)} of {swept.cells} exams are done"
        print(f"interrupted; {kept}; {again}", file=sys.stderr)
        return 130
    if len(swept.failed) == swept.cells:
        return 3
    return int(bool(swept.failed))


class _Lines:
    """A line for each cell that ends, on standard error."""

    def __init__(self, agents: int, seeds: int) -> None:
        self.agents, self.seeds = agents, seeds
        self.begin = time.monotonic()
        self.cells = self.ended = 0

    def begun(self, cells: int, kept: int, cost: Cost, place: str) -> None:
        self.cells, self.ended = cells, kept
        agents = f"{self.agents} agent{'s' if self.agents != 1 else ''}"
        seeds = f"{self.seeds} seed{'s' if self.seeds != 1 else ''}"
        exams = f"{cells} exam{'s' if cells != 1 else ''}"
        had = f"   {kept} of them are there already" if kept else ""
        self._say(
            f"{agents} x {seeds} = {exams}{had}   {place}   at most {cost.acts:,} acts   "
            f"LLM calls {f'at most {cost.calls:,}' if cost.calls else 0}   Ctrl-C keeps results"
        )

    def done(self, outcome: Outcome) -> None:
        self.ended += 1
        took = time.monotonic() - self.begin
        spec = outcome.cell.spec
        verdict = outcome.card.verdict if outcome.card else f"{FAILED}: {outcome.reason}"
        count = f"{self.ended:>{len(str(self.cells))}}/{self.cells}"
        self._say(f"{number(took, 4):>7} s  {count}  {spec.agent}, seed {spec.seed}: {verdict}")

    def _say(self, text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)
