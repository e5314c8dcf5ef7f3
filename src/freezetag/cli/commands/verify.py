"""Verify a ledger, or a gate's journal, offline."""

from __future__ import annotations

import base64
import json
import sqlite3
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.cited import cited, lines
from freezetag.cli.reach import JsonOption, database, read_json, require
from freezetag.core.errors import UserError
from freezetag.report.words import plain

SQLITE = b"SQLite format 3\x00"
FIRST = 10
"""Lines of a file that show what it is."""
PathOption = Annotated[Path | None, Parameter(show_default=False)]


def verify(
    ledger: str,
    /,
    *,
    public: PathOption = None,
    checkpoint: PathOption = None,
    archive: PathOption = None,
    journal: Annotated[bool, Parameter(show_default=False)] = False,
    every_journal: Annotated[bool, Parameter(show_default=False)] = False,
    head: Annotated[str, Parameter(show_default=False)] = "",
    export: PathOption = None,
    json_: JsonOption = False,
) -> int:
    """Verify that nothing was changed, removed, added or moved. Ends with 1 if something was.

    Records of a kind that this release does not know are not judged, so they end with 1, too.

    Parameters
    ----------
    ledger
        a ledger (ledger.db, or an export), the folder of an authority, a gate's journal, or the
        database of several nodes (postgresql://USER@HOST/DATABASE, with --public)
    public
        the authority's public.json; default: the one beside the ledger, which is no witness of its
        own
    checkpoint
        a checkpoint kept elsewhere, that the ledger must contain: a note, or a gate's latch.json
    archive
        the folder of its archive, which is verified too, and which the ledger must continue
    journal
        it is the journal of a gate; what a ledger.db beside it anchors has to be in it
    every_journal
        the journals beside the ledger are to be all of them: one that is missing fails, too. Of a
        database they lie in the folder of its public.json
    head
        the journal's newest hash, as the ledger anchors it
    export
        a new file for what was read of the database, one record a line and then the checkpoints
    json_
        print the figures as JSON
    """
    from freezetag.live.authority.state_check import state_problem
    from freezetag.live.gate.anchored import LEDGER
    from freezetag.live.gate.journal_file import holds_nothing, verify_journal

    what = "journal" if journal else "ledger"
    url, own = _database(ledger, journal)
    if export is not None and not url:
        raise UserError("--export is for a database; a ledger in a file is copied as it is.")
    if url:
        if (about := public or own) is None:
            raise UserError(
                "name the authority's public.json with --public, from where you trust it: a "
                "database is no witness of its own."
            )
        return _database_verified(url, about, checkpoint, archive, every_journal, export, json_)
    named = Path(ledger)
    file = named / ("journal.jsonl" if journal else LEDGER) if named.is_dir() else named
    if not journal and not file.exists() and any(named.glob("ledger-*.jsonl")):
        file = named  # an archive
    if not file.exists():
        raise UserError(f"there is no {what} at {file}.")
    gates: list[str] = []
    facts: dict[str, Any] = {}
    if journal:
        _looks_like_a_journal(file)
        report: Any = verify_journal(file, head=head or None)
        report.problems += _unanchored(file.with_name(LEDGER), [file])
        if report.ok and not report.records:
            raise UserError(holds_nothing(file))
    else:
        require("cryptography")
        beside = public or (file if file.is_dir() else file.parent) / "public.json"
        if not beside.exists():
            _looks_like_a_ledger(file)
            raise UserError(
                f"there is no {beside}: name the authority's public.json with --public, from where "
                "you trust it."
            )
        key, authority, people, quorum = _public(beside)
        rule: Any = {"authority": authority, "public": key, "people": people, "quorum": quorum}
        report, kept = _verified(file, checkpoint, archive, rule)
        if report.ok and file.is_file() and (problem := state_problem(file, key, report.root)):
            report.problems.append(problem)
        beside_it = sorted(file.parent.glob("journal*.jsonl"))
        report.problems += _unanchored(file, beside_it)
        gates = _untold(file, beside_it)
        facts = {"cited": cited(file, beside, rule, kept, beside=_lies_beside(beside, file))}
        if every_journal:
            report.problems += [f"no journal here tells of {gate}: deleted" for gate in gates]
    _tell_untold(gates, every_journal, json_)
    hints = [] if json_ else _hints(file, report.problems)
    _show(report, hints, json_, untold=gates, **facts)
    return 0 if report.ok else 1


def _database(ledger: str, journal: bool) -> tuple[str, Path | None]:
    """The URL that is meant, or that of a node's folder; and its public.json. "": a file is."""
    from freezetag.live.authority.postgres_database import is_url

    if is_url(ledger):
        return ledger, None
    url = "" if journal else database(Path(ledger))
    return (url, Path(ledger) / "public.json") if url else ("", None)


def _lies_beside(public: Path, file: Path) -> bool:
    """Whether the key came from the folder of the ledger: then it is no witness of its own."""
    return public.resolve().parent == (file if file.is_dir() else file.parent).resolve()


def _verified(
    file: Path, checkpoint: Path | None, archive: Path | None, rule: Any
) -> tuple[Any, dict[str, str]]:
    """The report on a ledger that has to contain this checkpoint and continue this archive; and the
    checkpoints that were given."""
    from freezetag.live.signed.verify import verify_file
    from freezetag.live.signed.verify_parts import verify_on

    notes = [_note(checkpoint, rule["authority"])] if checkpoint else []
    older = [_newest(archive)] if archive else []
    report = verify_on(0, file, checkpoint=next(iter([*notes, *older]), None), **rule)
    if notes and older:
        again = verify_file(file, checkpoint=older[0], **rule)
        report.problems += [each for each in again.problems if each not in report.problems]
    if archive:
        kept = verify_file(archive, **rule)
        report.problems += [f"archive: {each}" for each in kept.problems]
    given = {str(checkpoint): notes, f"the newest of the archive {archive}": older}
    return report, {_covers(found[0]): where for where, found in given.items() if found}


def _covers(note: str) -> str:
    """What a checkpoint says that it is over; it may say anything."""
    size = note.split("\n")[1:2]
    return f"over {size[0]} records" if size and size[0].isdecimal() else "over nothing readable"


def _tell_untold(gates: list[str], every_journal: bool, json_: bool) -> None:
    if gates and not every_journal and not json_:
        print(
            "of these gates no journal is here, so of what they let through nothing was verified: "
            f"{plain(', '.join(gates))}"
        )


def _database_verified(
    url: str,
    public: Path,
    checkpoint: Path | None,
    archive: Path | None,
    every_journal: bool,
    export: Path | None,
    json_: bool,
) -> int:
    """Reads the database at one moment into a file, and verifies that. Raises `UserError`."""
    require("cryptography")
    require("asyncpg", extra="postgres")
    from freezetag.live.authority.export import exported, rows_problem

    if export is not None and export.exists():
        raise UserError(f"{export} is there already, and nothing is overwritten.")
    key, authority, people, quorum = _public(public)
    rule = {"authority": authority, "public": key, "people": people, "quorum": quorum}
    journals = sorted(public.parent.glob("journal*.jsonl"))
    gates: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        file = export or Path(folder) / "ledger.txt"
        rows, seal = exported(url, authority, key, file)
        report, kept = _verified(file, checkpoint, archive, rule)
        about = cited(file, public, rule, kept, beside=False)
        if report.ok and (problem := rows_problem(file, rows, seal, key, report.root)):
            report.problems.append(problem)
        if journals:
            report.problems += _lacking(file, journals)
        gates = _not_told(file, journals)
        if every_journal:
            report.problems += [f"no journal here tells of {gate}: deleted" for gate in gates]
    _tell_untold(gates, every_journal, json_)
    _show(report, [], json_, untold=gates, cited=about)
    return 0 if report.ok else 1


def _show(report: Any, hints: list[str], json_: bool, **more: Any) -> None:
    if json_:
        print(json.dumps(asdict(report) | {"ok": report.ok} | more))
        return
    for told in [*report.problems, *hints, *getattr(report, "breaks", ())]:
        print(told)
    if report.solo:
        print(f"SOLO, one person suffices for a reset: so say checkpoints ({report.solo})")
    verdict = "verified" if report.ok else "NOT verified"
    root = f"root {report.root}" if report.root else "no root"
    print(f"{verdict}: {report.records} records, {root}")
    if found := more.get("cited"):
        print(*(f"  {each}" for each in lines(found)), sep="\n")


def _newest(folder: Path) -> str:
    """The archive's newest checkpoint, which the ledger has to contain. Raises `UserError`."""
    from freezetag.live.authority.archive import Archive

    segments = Archive(folder).segments
    if not segments:
        raise UserError(f"there is no archive in {folder}. Make one: freezetag archive {folder}")
    return segments[-1].note


def _unanchored(ledger: Path, journals: list[Path]) -> list[str]:
    """What a ledger anchors that the journals lack; they are at hand, or it is a guard's folder."""
    from freezetag.live.gate.anchored import LEDGER

    guards = ledger.with_name("latch.json").exists()
    if ledger.name != LEDGER or not ledger.exists() or not (journals or guards):
        return []
    return _lacking(ledger, journals)


def _lacking(ledger: Path, journals: list[Path]) -> list[str]:
    from freezetag.live.gate.anchored import lacking

    try:
        return lacking(ledger, journals)
    except (OSError, sqlite3.Error, ValueError, LookupError, TypeError, RecursionError) as error:
        return [f"the heads that {ledger} anchors cannot be read: {error}"]


def _untold(ledger: Path, journals: list[Path]) -> list[str]:
    """The gates whose journals are not here; what cannot be read is said elsewhere."""
    from freezetag.live.gate.anchored import LEDGER

    there = ledger.name == LEDGER and ledger.exists()
    return _not_told(ledger, journals) if there else []


def _not_told(ledger: Path, journals: list[Path]) -> list[str]:
    from freezetag.live.gate.anchored import untold

    try:
        return untold(ledger, journals)
    except (OSError, sqlite3.Error, ValueError, LookupError, TypeError, RecursionError):
        return []


def _looks_like_a_ledger(file: Path) -> None:
    """Raises `UserError` for something else, told by its first line."""
    if file.is_dir():
        return
    try:
        with file.open("rb") as opened:
            line = opened.readline(1 << 20)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}.") from None
    if line.startswith((SQLITE, b"#freezetag/")):
        return
    fields = _fields(line)
    if {"kind", "prev"} <= fields:
        raise UserError(f"{file} is the journal of a gate: freezetag verify --journal {file}")
    if not {"i", "kind", "body"} <= fields:
        raise UserError(
            f"{file} is not a ledger. Give a ledger.db, an export of one, or an authority's folder."
        )


def _looks_like_a_journal(file: Path) -> None:
    """Raises `UserError` for a file of which none of the first lines is an entry of a journal.

    A first line that was edited is a problem of the journal, so one line does not decide.
    """
    try:
        with file.open("rb") as opened:
            lines = [opened.readline(1 << 20) for _ in range(FIRST)]
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}.") from None
    fields = [_fields(line) for line in lines if line]
    if any({"kind", "prev"} <= found for found in fields):
        return
    if lines[0].startswith(SQLITE) or any({"i", "kind", "body"} <= found for found in fields):
        raise UserError(f"{file} is a ledger, no gate's journal: freezetag verify {file}")
    if fields:
        raise UserError(
            f"{file} is not a journal of a gate. Give a journal.jsonl, or the folder that it is in."
        )


def _fields(line: bytes) -> set[str]:
    """The names in a line of JSON; none for any other line."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return set()
    return set(found) if isinstance(found, dict) else set()


def _hints(file: Path, problems: list[str]) -> list[str]:
    """What is more likely than tampering where a ledger of SQLite ends too early."""
    told = " ".join(problems)
    if file.is_dir() or not ("cannot be read as a ledger" in told or "cut off" in told):
        return []
    with file.open("rb") as opened:
        if opened.read(len(SQLITE)) != SQLITE:
            return []
    if "malformed" in told:
        return ["A part of the file is missing or damaged. Take the copy anew, and compare sizes."]
    beside = file.with_name(f"{file.name}-wal")
    if beside.exists() and beside.stat().st_size:
        return []
    told = f"Is it a copy from a running server? Its newest records are in {beside.name}: copy both"
    return [f"{told} at once (cp {file.name}* ...), into an empty folder."]


def _note(checkpoint: Path, authority: str) -> str:
    """The checkpoint in a file: as it is, or the one that a gate keeps in its latch. Raises
    `UserError`."""
    try:
        text = checkpoint.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {checkpoint}: {error.strerror}.") from None
    except UnicodeError:
        raise UserError(f"{checkpoint} is not a checkpoint: it holds no text.") from None
    return _from_latch(checkpoint, authority) if text.startswith("{") else text


def _from_latch(file: Path, authority: str) -> str:
    from freezetag.live.gate.latch import LatchError, LatchFile

    try:
        memory = LatchFile(file).load() or {}
        links = memory["links"]
        kept = {str(name): link.get("note") for name, link in links.items()}
    except (LatchError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{file} is neither a checkpoint nor the latch of a gate: {error}"
        ) from None
    if authority not in kept:
        raise UserError(
            f"the gate of {file} knows no authority {authority!r}. It knows: "
            f"{', '.join(map(repr, kept)) or 'none'}."
        )
    if not (note := kept[authority]):
        raise UserError(
            f"the gate of {file} keeps no signed checkpoint of {authority!r}: it never had a "
            "lease, or was of an older version, which kept size and root alone."
        )
    return str(note)


def _public(file: Path) -> tuple[bytes, str, dict[str, bytes], int]:
    from freezetag.live.signed.keys import Roster

    data = read_json(file, "public.json of an authority")
    try:
        roster = Roster.from_json(data["roster"])
        key = base64.b64decode(data["public"], validate=True)
        authority = str(data["authority"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{file} is not a public.json of an authority.") from None
    return key, authority, {person.name: person.key for person in roster.people}, roster.quorum
