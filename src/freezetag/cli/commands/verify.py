"""Verify a ledger, or a gate's journal, offline."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import JsonOption, read_json, require
from freezetag.core.errors import UserError

PathOption = Annotated[Path | None, Parameter(show_default=False)]


def verify(
    ledger: Path,
    /,
    *,
    public: PathOption = None,
    checkpoint: PathOption = None,
    journal: Annotated[bool, Parameter(show_default=False)] = False,
    head: Annotated[str, Parameter(show_default=False)] = "",
    json_: JsonOption = False,
) -> int:
    """Verify that nothing was changed, removed, added or moved. Ends with 1 if something was.

    Parameters
    ----------
    ledger
        a ledger (ledger.db, or an export), the folder of an authority, or a gate's journal
    public
        the authority's public.json; default: the one beside the ledger, which is no witness of its
        own
    checkpoint
        a checkpoint kept elsewhere, by a gate or a person, that the ledger must contain
    journal
        it is the journal of a gate
    head
        the journal's newest hash, as the ledger anchors it
    json_
        print the figures as JSON
    """
    from freezetag.live.journal_file import verify_journal
    from freezetag.live.verify import verify_file

    what = "journal" if journal else "ledger"
    file = ledger / ("journal.jsonl" if journal else "ledger.db") if ledger.is_dir() else ledger
    if not file.exists():
        raise UserError(f"there is no {what} at {file}.")
    if journal:
        report: Any = verify_journal(file, head=head or None)
    else:
        require("cryptography")
        beside = public or file.with_name("public.json")
        if not beside.exists():
            _looks_like_a_ledger(file)
            raise UserError(
                f"there is no {beside}: name the authority's public.json with --public, from where "
                "you trust it."
            )
        key, authority, people, quorum = _public(beside)
        kept = _note(checkpoint) if checkpoint else None
        report = verify_file(
            file, authority=authority, public=key, checkpoint=kept, people=people, quorum=quorum
        )
    if json_:
        print(json.dumps(asdict(report) | {"ok": report.ok}))
    else:
        for problem in report.problems:
            print(problem)
        if report.solo:
            print(f"SOLO, one person suffices for a reset: so say checkpoints ({report.solo})")
        verdict = "verified" if report.ok else "NOT verified"
        print(f"{verdict}: {report.records} records, root {report.root}")
    return 0 if report.ok else 1


def _looks_like_a_ledger(file: Path) -> None:
    """Raises `UserError` for something else, told by its first line."""
    try:
        with file.open("rb") as opened:
            line = opened.readline(1 << 20)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}.") from None
    if line.startswith((b"SQLite format 3\x00", b"#freezetag/")):
        return
    try:
        fields = set(json.loads(line))
    except (ValueError, TypeError, RecursionError):
        fields = set()
    if {"kind", "prev"} <= fields:
        raise UserError(f"{file} is the journal of a gate: freezetag verify --journal {file}")
    if not {"i", "kind", "body"} <= fields:
        raise UserError(
            f"{file} is no ledger. Give a ledger.db, an export of one, or an authority's folder."
        )


def _note(checkpoint: Path) -> str:
    try:
        return checkpoint.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {checkpoint}: {error.strerror}.") from None
    except UnicodeError:
        raise UserError(f"{checkpoint} is no checkpoint: it holds no text.") from None


def _public(file: Path) -> tuple[bytes, str, dict[str, bytes], int]:
    from freezetag.live.keys import Roster

    data = read_json(file, "public.json of an authority")
    try:
        roster = Roster.from_json(data["roster"])
        key = base64.b64decode(data["public"], validate=True)
        authority = str(data["authority"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{file} is no public.json of an authority.") from None
    return key, authority, {person.name: person.key for person in roster.people}, roster.quorum
