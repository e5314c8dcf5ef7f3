"""Decide a gate's journal again, as it was or under a changed panel."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import JsonOption
from freezetag.core.errors import UserError

DIFFERS = 1
SHOWN = 10
"""Stops and differences that are shown; `--json` has all."""


def replay(
    journal: Path,
    /,
    *,
    panel: Annotated[Path | None, Parameter(show_default=False)] = None,
    head: Annotated[str, Parameter(show_default=False)] = "",
    json_: JsonOption = False,
) -> int:
    """Put the recorded readings through a gate again, and compare what it decides.

    Without a panel, ends with 1 if a decision comes out differently than recorded. With one, says
    what the changed panel would have stopped, and ends with 1 if that is anything.

    Parameters
    ----------
    journal
        a gate's journal, or the folder that it is in
    panel
        a TOML file with other limits: a table [limits], such as tokens = 500; a list without
    head
        the journal's newest hash, as the ledger anchors it
    json_
        print the figures as JSON
    """
    from freezetag.core.journal import JournalError
    from freezetag.live.gate.journal_file import holds_nothing

    file = journal / "journal.jsonl" if journal.is_dir() else journal
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        run = journal.is_dir() and any(journal.glob("episodes*.parquet"))
        hint = f" This is the folder of a run: `freezetag watch {journal}`." if run else ""
        raise UserError(f"cannot read the journal {file}: {error.strerror}.{hint}") from None
    if not lines and not head:
        raise UserError(holds_nothing(file))
    try:
        if panel is None:
            return _again(lines, head or None, json_)
        return _changed(lines, panel, head or None, json_)
    except JournalError as error:
        raise UserError(f"{file} is no journal that can be replayed: {error}") from None


def _tier(lines: list[bytes]) -> int | None:
    """The tier that the host of the gate said at its newest opening; None if it said none."""
    from freezetag.core.journal import read

    opened = [entry for entry in read(lines, None) if entry["kind"] == "open"]
    tier = opened[-1].get("tier") if opened else None
    return tier if type(tier) is int else None


def _tier_told(lines: list[bytes]) -> str:
    tier = _tier(lines)
    if tier is None:
        return "tier not told: a gate that its own process holds is tier 0"
    return f"tier {tier}, as the gate's host says"


def _again(lines: list[bytes], head: str | None, as_json: bool) -> int:
    from freezetag.live.gate.replay import replay as decided_again

    found = decided_again(lines, head)
    if as_json:
        print(json.dumps({**asdict(found), "same": found.same, "tier": _tier(lines)}))
    else:
        print(_tier_told(lines))
        for each in [*found.differences, *found.unjudged][:SHOWN]:
            print(each)
        print(
            f"{found.decisions} decisions again: {len(found.differences)} come out differently, "
            f"{len(found.unjudged)} rest on what a journal does not hold"
        )
    return DIFFERS if found.differences else 0


def _changed(lines: list[bytes], panel: Path, head: str | None, as_json: bool) -> int:
    from freezetag.live.gate.reconsideration import Change, reconsider
    from freezetag.report.words import plain

    found = reconsider(lines, Change.load(panel), head)
    if as_json:
        print(json.dumps({**asdict(found), "barred": found.barred}))
        return DIFFERS if found.stops else 0
    for stop in found.stops[:SHOWN]:
        print(
            f"incarnation {stop.b[:8]} would have stopped at entry {stop.entry}, "
            f"{plain(stop.action)}: {', '.join(map(plain, stop.trips))}; "
            f"{len(stop.actions)} actions were let through from there on: {_counted(stop.actions)}"
        )
    if found.longer:
        print(
            f"{len(found.longer)} incarnations were stopped by a limit that this panel does not "
            "have: what they would have done then is not on record"
        )
    print(
        f"of {found.admitted} actions in {found.incarnations} incarnations, {found.barred} would "
        "not have been let through; from the first of them on an agent might have acted otherwise"
    )
    return DIFFERS if found.stops else 0


def _counted(actions: list[str]) -> str:
    from freezetag.report.words import plain

    told: Any = Counter(actions).most_common(3)
    more = f" and {len(set(actions)) - 3} others" if len(set(actions)) > 3 else ""
    return (", ".join(f"{plain(name)} {n} times" for name, n in told) or "none") + more
