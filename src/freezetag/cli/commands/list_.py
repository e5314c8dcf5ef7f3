"""List the substrates, players and probes there are, or the runs in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from freezetag import catalogue, players
from freezetag.catalogue import announced, member, source
from freezetag.core import Ref, UserError
from freezetag.core.errors import printable

Kind = Literal["substrates", "players", "probes", "agents", "estimators", "rosters", "runs"]
RUNS = Path("runs")


def list_(
    kind: Kind | None = None,
    folder: Path | None = None,
    /,
    *,
    json_: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> None:
    """List what there is, one a line with its first sentence and, of what an installed package
    announces, the package. Of runs: date, agent, worlds, verdict and path.

    Parameters
    ----------
    kind
        substrates, players, probes, agents (of packages), estimators, rosters (who sits in the
        class of 30, by version) or runs; default: the first three, and agents if there are any
    folder
        with runs: where they lie (default runs); of a sweep's folder, its exams
    json_
        with runs: print them as JSON
    """
    if kind == "runs":
        _runs(folder or RUNS, json_)
        return
    if folder is not None or json_:
        raise UserError("a folder and --json go with `freezetag list runs`.")
    if kind == "rosters":
        _rosters()
        return
    for each in (kind,) if kind else announced.KINDS:
        theirs = announced.of(each) if each in announced.KINDS else ()
        if kind is None and each == "agents" and not theirs:
            continue
        print(each)
        for ref in catalogue.members(each) if each != "agents" else ():
            where = f"{ref.family}/" if each == "players" else ""
            print(f"  {where + ref.name:<36} {catalogue.summary(ref)}{_seat(each, ref)}")
        for one in theirs:
            print(f"  {printable(one.name):<36} {_said(one)}   (from {printable(one.package)})")
        if kind == "agents" and not theirs:
            print("  none is announced by an installed package")


def _seat(kind: str, ref: Ref) -> str:
    """On which rosters a player sits."""
    on = players.seated_on(ref) if kind == "players" else ()
    return f"   (roster {', '.join(on)})" if on else ""


def _rosters() -> None:
    for version in players.VERSIONS:
        today = ", today's" if version == players.ROSTER_VERSION else ""
        print(f"{version}{today}   sha256 {players.roster_hash(version)}")
        for number, seat in enumerate(players.seats(version), 1):
            stands_in = f" (stands in for {seat.stands_in_for})" if seat.stands_in_for else ""
            where = f"{seat.ref.family}/{seat.ref.name}"
            print(f"  {number:>2} {where:<36} {catalogue.summary(seat.ref)}{stands_in}")


def _runs(folder: Path, as_json: bool) -> None:
    from rich.text import Text

    from freezetag.report.terminal import STYLES, as_text, can_write, console_of
    from freezetag.sweep import runs

    found = runs.runs(folder)
    if as_json:
        print(json.dumps(runs.as_json(found), indent=1))
        return
    if not found:
        print(f"no runs in {printable(str(folder))}")
        return
    console = console_of()
    plain = not can_write(console, "−≤")
    heads = ("date", "agent", "worlds", "verdict")
    lines = [(run.date, run.agent, ", ".join(run.worlds), run.verdict) for run in found]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def line(cells: tuple[str, ...], path: str, style: str = "") -> None:
        # The path stands last and whole, however narrow the screen, so that it can be copied.
        texts = [as_text(c, plain) for c in cells]
        for text, width in zip(texts, widths, strict=True):
            text.pad_right(max(0, width - len(text.plain)))
        texts[-1].stylize(style)
        console.print(Text("  ").join([*texts, as_text(path, plain)]), soft_wrap=True)

    line(heads, "path")
    for run, cells in zip(found, lines, strict=True):
        line(cells, str(run.path), STYLES.get("fail" if run.problem else run.verdict, ""))
    for run in found:
        if run.problem:
            console.print(as_text(f"{run.path} is damaged: {run.problem}", plain), soft_wrap=True)


def _said(one: announced.Announced) -> str:
    """What a member says of itself, or why it cannot be used. It is imported to find out; an
    agent is not, since it runs in a process of its own."""
    where, _ = source.parts(one.value)
    try:
        if one.kind != "agents":
            member.located(one.kind, one.value)
        elif source.file_of(where) is None:
            raise source.NotLoaded(f"there is no module {where!r}")
    except UserError as error:
        return f"cannot be used: {printable(str(error)).rstrip('.')}"
    return printable(source.docstring(where)) or one.value
