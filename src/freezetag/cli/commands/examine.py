"""Send an agent into a class, measure how it goes wrong there, write its report card."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from freezetag import players
from freezetag.cli.progress import reporter
from freezetag.cli.whole import Whole
from freezetag.core import ReportCard
from freezetag.core.probe import FAIL, WARN
from freezetag.exam.examine import Examined, resumed, run_spec
from freezetag.exam.spec import FULL, QUICK, BadSpec, Spec
from freezetag.exam.store import CannotWrite, RunFolder
from freezetag.report import schema, terminal
from freezetag.report.words import plain

FailOn = Literal["fail", "warn", "never"]
# One name each time: `--world commons tit_for_tat` must leave the agent alone.
Names = Annotated[tuple[str, ...], Parameter(show_default=False)]
Text = Annotated[str, Parameter(show_default=False)]
Flag = Annotated[bool, Parameter(show_default=False)]
EMPTY: tuple[str, ...] = ()


def examine(
    agent: str | None = None,
    /,
    *,
    world: Names = EMPTY,
    probe: Names = EMPTY,
    classmates: Whole = 30,
    seed: Whole | None = None,
    button: Text = "",
    runtime: float | None = None,
    power: float | None = None,
    quick: Flag = False,
    full: Flag = False,
    step_seconds: float = 2.0,
    out: Path | None = None,
    resume: Path | None = None,
    spec: Path | None = None,
    fail_on: FailOn = "fail",
    json_: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Examine an agent and write its report card.

    Parameters
    ----------
    agent
        a player's name (tit_for_tat), a file my_agent.py, package.module:object, axelrod:Grudger,
        or what an agent left: log:ledger.db, log:journal.jsonl
    world
        only in this world (commons, matrix_game), or several: --world A --world B; default: where
        each probe is measured
    probe
        only this probe, or several; default: all
    classmates
        0 to 30; 0 prints as class of 1: the agent alone
    seed
        of everything random; without it one is drawn, and recorded
    button
        fit a stop button and press it: 50% of the episode, at step 120, or 0.02/step
    runtime
        fit a runtime limit, in steps
    power
        fit a power limit, in the world's unit
    quick
        200,000 acts of the agent (the default)
    full
        2,000,000 acts: narrower intervals
    step_seconds
        what one act of a foreign agent may take
    out
        the run folder; default: the next free one under runs/
    resume
        continue an interrupted run in this folder
    spec
        run a spec.toml again
    fail_on
        from which verdict on the exit code is 1
    json_
        print card.json instead of the table
    """
    if quick and full:
        raise BadSpec("--quick and --full are two sizes of one exam: choose one.")
    before: ReportCard | None = None
    if resume is not None:
        if agent is not None or spec is not None:
            raise BadSpec("--resume takes the agent and all options from the run's spec.toml.")
        wanted, before = resumed(resume)
        folder = RunFolder(resume)
    else:
        if spec is not None:
            wanted = Spec.from_toml(_read(spec))
        elif agent is not None:
            wanted = Spec(
                agent=agent,
                seed=secrets.randbelow(2**31) if seed is None else seed,
                worlds=tuple(world),
                probes=tuple(probe),
                classmates=classmates,
                button=button,
                runtime=runtime,
                power=power,
                budget=FULL if full else QUICK,
                step_seconds=step_seconds,
                roster=f"{players.ROSTER_VERSION} {players.roster_hash()}",
            )
        else:
            raise BadSpec("say which agent to examine, for instance: freezetag examine tit_for_tat")
        folder = None
    return _run(wanted, folder, before, out, fail_on, json_)


def _run(
    wanted: Spec,
    folder: RunFolder | None,
    before: ReportCard | None,
    out: Path | None,
    fail_on: FailOn,
    as_json: bool,
) -> int:
    from freezetag.exam.plan import plan
    from freezetag.exam.resolve import must_load, resolve
    from freezetag.sim.workers import Cache

    # Everything that can be wrong with the request is found before a folder is made.
    agent = resolve(wanted.agent, wanted.panel(), wanted.step_seconds)
    plan(wanted, agent)
    with Cache(lambda text: print(plain(text), file=sys.stderr, flush=True)) as cache:
        must_load(agent, cache)
        cache.note = None  # that its library is slow has been told; every process of it would
        if folder is None:
            folder = RunFolder.create(out, wanted.agent)
            folder.write("spec.toml", wanted.to_toml())
        with reporter() as progress:
            examined = run_spec(wanted, None, folder, progress, before, cache)
    card = examined.card
    if as_json:
        print(schema.write_json(card), end="")
    else:
        terminal.print_card(card)
    code = _code(examined, fail_on)
    try:
        paths = folder.finish(card, examined.records)
    except CannotWrite as error:
        print(f"freezetag: {error} The card above is all that is left.", file=sys.stderr)
        return error.exit_code
    if not as_json:
        named = {"card": "card.html", "data": "episodes.parquet"}
        told = [f"{word} {paths[name]}" for word, name in named.items() if name in paths]
        print("   ".join([*told, f"spec {folder.path / 'spec.toml'}", f"seed {wanted.seed}"]))
        if card.partial:
            print(f"interrupted; go on with: freezetag examine --resume {folder.path}")
    return code


def _code(examined: Examined, fail_on: FailOn) -> int:
    card = examined.card
    if card.partial:
        return 130
    tried = [section for section in card.sections if section.error or section.measurements]
    if tried and all(section.error for section in tried):
        return 3
    bad = {"fail": (FAIL,), "warn": (FAIL, WARN), "never": ()}[fail_on]
    return int(card.verdict in bad)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadSpec(f"cannot read {path}: {error.strerror}.") from None
