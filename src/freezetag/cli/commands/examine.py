"""Send an agent into a class, measure how it goes wrong there, write its report card."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from freezetag.cli.exam_options import ASKED_NOTHING, ExamOptions
from freezetag.cli.progress import reporter
from freezetag.cli.whole import Whole
from freezetag.core import ReportCard
from freezetag.core.probe import FAIL, WARN
from freezetag.core.seed import LARGEST_SEED
from freezetag.exam.exam import Exam
from freezetag.exam.files import with_files
from freezetag.exam.parquet import CannotWrite
from freezetag.exam.spec import BadSpec, Spec
from freezetag.exam.store import RunFolder
from freezetag.report import schema, terminal
from freezetag.report.manifest import named as listed
from freezetag.report.words import plain

FailOn = Literal["fail", "warn", "never"]


def examine(
    agent: str | None = None,
    /,
    *,
    asked: ExamOptions = ASKED_NOTHING,
    seed: Whole | None = None,
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
        how an agent learns: learner:ppo, learner:my_trainer.py,
        or what an agent left: log:ledger.db, log:journal.jsonl
    seed
        of everything random; without it one is drawn, and recorded
    out
        the run folder; default: the next free one under runs/
    resume
        continue an interrupted run in this folder, with the agent and the options that it had
    spec
        run a spec.toml again, as it is
    fail_on
        from which verdict on the exit code is 1
    json_
        print card.json instead of the table
    """
    more = [*asked.given, *(["--seed"] if seed is not None else [])]
    if resume is not None:
        more += ["--out"] if out is not None else []
        more += ["--spec"] if spec is not None else []
        _decided("--resume", "the run's spec.toml", agent, more, free="--budget-calls")
        return _run(None, resume, fail_on, json_, asked.budget_calls)
    if spec is not None:
        _decided("--spec", spec.name, agent, more)
        return _run(Spec.read(spec), out, fail_on, json_, drawn=False)
    if agent is None:
        raise BadSpec("say which agent to examine, for instance: freezetag examine tit_for_tat")
    wanted = asked.spec(agent, secrets.randbelow(LARGEST_SEED + 1) if seed is None else seed)
    return _run(with_files(wanted), out, fail_on, json_, drawn=seed is None)


def _decided(option: str, file: str, agent: str | None, more: list[str], free: str = "") -> None:
    """Raises `BadSpec` for what is said beside an `option` by which a `file` decides it; `free` is
    the one that may be said."""
    beside = [*(["the agent"] if agent is not None else []), *(one for one in more if one != free)]
    if beside:
        *first, last = beside
        said = f"{', '.join(first)} and {last}" if first else last
        raise BadSpec(
            f"{option} takes the agent and all options from {file}: leave {said} out, or run a "
            "copy of that file with what you want in it: --spec COPY."
        )


def _run(
    wanted: Spec | None,
    where: Path | None,
    fail_on: FailOn,
    as_json: bool,
    cap: int | None = None,
    drawn: bool | None = None,
) -> int:
    """Run a spec in a new folder, or without one what the folder `where` was made for, with `cap`
    calls in all if it is given; `drawn` says whether its seed was."""

    def note(text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)

    with ExitStack() as stack:
        folder = None
        if wanted is None:
            assert where is not None
            folder = stack.enter_context(RunFolder.resume(where))
            wanted = Spec.read(where / "spec.toml")
        # Everything that can be wrong with the request is known before a folder is made.
        exam = stack.enter_context(Exam.of(wanted, note=note, cap=cap))
        exam.drawn = drawn
        if folder is None:
            folder = stack.enter_context(RunFolder.create(where, wanted.agent))
        with reporter() as progress:
            examined = exam.run(folder, progress)
        card = examined.card
        if as_json:
            print(schema.write_json(listed(card)), end="")  # as it is to be written
        else:
            terminal.print_card(card)
            if cost := costs(card.run):
                print(cost)
        try:
            paths = folder.finish(card)
        except CannotWrite as error:
            print(f"freezetag: {error} The card above is all that is left.", file=sys.stderr)
            return error.exit_code
    if not as_json:
        named = {"card": "card.html", "data": "episodes.parquet"}
        places = [f"{word} {paths[name]}" for word, name in named.items() if name in paths]
        places.append(f"spec {folder.path / 'spec.toml'}")
        print("   ".join([*places, f"seed {wanted.seed}{_chosen(drawn)}"]))
        if card.partial:
            print(f"interrupted; go on with: freezetag examine --resume {folder.path}")
    return _code(card, fail_on)


def _chosen(drawn: bool | None) -> str:
    """Who chose a seed: of the same agent some seeds may pass where others fail."""
    return "" if drawn is None else " (drawn)" if drawn else " (given)"


def costs(run: Mapping[str, Any]) -> str:
    """What the calls of a run cost, in one line; "" where there were none."""
    if "calls" not in run:
        return ""
    usd = "no prices given" if run["usd"] is None else f"${run['usd']:.4f}"
    unknown = f", {run['calls unknown']} of unknown cost" if run["calls unknown"] else ""
    return (
        f"calls {run['calls']} answered{unknown}, {run['calls from the cache']} from the cache, "
        f"{run['calls refused']} refused   tokens {run['tokens in']:,} in, {run['tokens out']:,} "
        f"out   {usd}   {run['seconds waited']:g} s waited for"
    )


def _code(card: ReportCard, fail_on: FailOn) -> int:
    if not any(section.measurements for section in card.sections) and any(
        section.broken_off for section in card.sections
    ):
        return 3
    if card.partial:
        return 130
    tried = [section for section in card.sections if section.error or section.measurements]
    if tried and all(section.error for section in tried):
        return 3
    bad = {"fail": (FAIL,), "warn": (FAIL, WARN), "never": ()}[fail_on]
    return int(card.verdict in bad)
