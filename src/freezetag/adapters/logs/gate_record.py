"""What a gate or an authority recorded: a journal, or a ledger with the journals beside it.

A gate's journal says which actions were asked for and let through, under which mode, and when. A
ledger says when presses became durable and what gates acknowledged; the journals `journal*.jsonl`
beside it are read too, and have to contain the heads that it anchors. A journal's chain is checked,
a ledger's signatures are not: that takes the authority's key, see `freezetag verify`.

Caveat: a log says what its writer saw. An action that went round the gate is not in it, nor what an
action did; and nobody can ask a log what it would have done.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, final

from freezetag.adapters.agents._incarnations import Incarnation, Named, from_journal, laid_out
from freezetag.adapters.agents._ledger_incarnations import from_ledger, together
from freezetag.adapters.logs.reader import Start
from freezetag.core import journal
from freezetag.core.episode import Episode
from freezetag.core.interlock import Panel
from freezetag.core.journal import GENESIS, JournalError
from freezetag.sim.foreign import BadAgent

NAME = "a gate's journal or an authority's ledger"
_SQLITE = b"SQLite format 3\x00"


@final
class Recorded:
    """A log as an agent; `notes` say what to keep in mind when reading its card."""

    def __init__(self, incarnations: list[Incarnation], names: Named, where: str) -> None:
        self.recorded: Episode = laid_out(incarnations, names, where)
        self.panel: Panel = names.panel
        self.notes: tuple[str, ...] = names.notes


def knows(start: Start) -> bool:
    """A journal or a ledger, as a database or exported."""
    first = start.first
    if start.head.startswith(_SQLITE):
        return True
    return isinstance(first, dict) and ({"i", "kind", "body"} <= first.keys() or "prev" in first)


def read(start: Start) -> Recorded:
    """Raises `BadAgent` or `JournalError`."""
    path = start.path
    named = Named()
    if start.head.startswith(_SQLITE):
        incarnations = _ledger(path, _from_sqlite(path), named)
    else:
        lines = path.read_bytes().splitlines(keepends=True)
        if _is_ledger(lines[0]):
            incarnations = _ledger(path, _from_text(path, lines), named)
        else:
            incarnations, hashes = _journal(path, lines, named)
            _in_its_ledger(path, incarnations, hashes)
    if not incarnations:
        raise BadAgent(f"{path} holds no line about an agent that ran: nothing to read.")
    return Recorded(incarnations, named, str(path))


def _journal(path: Path, lines: list[bytes], named: Named) -> tuple[list[Incarnation], set[str]]:
    """The incarnations in a journal, and the hashes of its entries."""
    if not lines[-1].endswith(b"\n"):
        raise JournalError(
            f"{path}: the last line is cut short, as by a crash. Take it off (the next run of its "
            "gate does) and say so, or find the whole file."
        )
    try:
        incarnations = from_journal(journal.read(lines), named, path.stem)
    except JournalError as error:
        why = f"{path} is not a whole journal: {error}. See freezetag verify."
        raise JournalError(why) from None
    return incarnations, {hashlib.sha256(line.rstrip(b"\n")).hexdigest() for line in lines}


def _ledger(path: Path, records: Iterator[dict[str, Any]], named: Named) -> list[Incarnation]:
    """The incarnations in a ledger, and in the journals that lie beside it."""
    incarnations, anchors = _read(path, records)
    journals: list[Incarnation] = []
    seen: dict[str, Path] = {}
    hashes: set[str] = set()
    files = [file for file in sorted(path.parent.glob("journal*.jsonl")) if file != path]
    for beside in files:
        lines = beside.read_bytes().splitlines(keepends=True)
        if not lines:
            continue
        found, held = _journal(beside, lines, named)
        ours = {incarnation.b for incarnation in found} - {""}
        if twice := sorted(ours & seen.keys()):
            raise JournalError(
                f"{seen[twice[0]]} and {beside} tell of the same incarnation of a gate "
                f"({twice[0]:.8}…), and it is counted once: leave the copy out."
            )
        seen |= dict.fromkeys(ours, beside)
        hashes |= held
        journals += found
    if files:
        _contained(path, anchors, hashes)
    named.notes += ("the ledger's signatures were not checked: freezetag verify",)
    return together(incarnations, journals)


def _in_its_ledger(path: Path, incarnations: list[Incarnation], hashes: set[str]) -> None:
    """Raises `JournalError` for a journal without what a ledger beside it anchors of its gate."""
    ledger = path.with_name("ledger.db")
    if not ledger.exists():
        return
    granted, anchors = _read(ledger, _from_sqlite(ledger))
    gates = {incarnation.b: incarnation.agent for incarnation in granted}
    ours = {gates[incarnation.b] for incarnation in incarnations if incarnation.b in gates}
    for beside in path.parent.glob("journal*.jsonl"):  # a gate may have begun another
        lines = beside.read_bytes().splitlines()
        hashes = hashes | {hashlib.sha256(line).hexdigest() for line in lines}
    asked = [(b, head) for b, head in anchors if not ours or gates.get(b) in ours]
    _contained(ledger, asked, hashes)


def _read(
    path: Path, records: Iterator[dict[str, Any]]
) -> tuple[list[Incarnation], list[tuple[str, str]]]:
    try:
        return from_ledger(records)
    except sqlite3.Error as error:
        raise BadAgent(
            f"{path} is not a ledger: {error}. (Of a running server copy ledger.db-wal too.)"
        ) from None


def _contained(ledger: Path, anchors: list[tuple[str, str]], hashes: set[str]) -> None:
    """Raises `JournalError` where an anchored head is in no journal."""
    for b, head in anchors:
        if head not in hashes | {"", GENESIS}:
            raise JournalError(
                f"{ledger.name} anchors the head {head:.16}… of a gate's incarnation ({b:.8}…), "
                f"and no journal*.jsonl in {ledger.parent} does contain it: one was emptied, cut "
                "off, written anew or not copied. Without its journals a ledger is examined alone."
            )


def _from_sqlite(path: Path) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
        for index, (i, leaf) in enumerate(base.execute("SELECT i, record FROM ledger ORDER BY i")):
            yield _record(path, index, leaf, i)


def _from_text(path: Path, lines: list[bytes]) -> Iterator[dict[str, Any]]:
    leaves = [line for line in lines if not line.startswith(b"#")]
    for index, leaf in enumerate(leaves):
        yield _record(path, index, leaf, index)


def _record(path: Path, index: int, leaf: bytes, i: int) -> dict[str, Any]:
    try:
        record = json.loads(leaf)
        if (record["i"], i) == (index, index) and isinstance(record["body"], dict):
            return dict(record)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise JournalError(f"{path}: record {index} of the ledger cannot be read.") from None
    raise JournalError(
        f"{path}: record {index} of the ledger carries the number {record['i']!r:.20}: something "
        "was removed, added or moved. See `freezetag verify`."
    )


def _is_ledger(line: bytes) -> bool:
    try:
        return {"i", "kind", "body"} <= set(json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return False
