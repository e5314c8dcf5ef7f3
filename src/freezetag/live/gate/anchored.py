"""Whether journals still hold what a ledger anchored of them: the heads that gates told it.

A journal is a chain, and a chain that was emptied or cut is a chain too. Its gate told the
authority its newest hash now and then, so the ledger says what the journal has to contain.

Caveat: what a gate wrote after the newest anchor can be cut off without a trace.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from freezetag.core.journal import GENESIS

LEDGER = "ledger.db"
SQLITE = b"SQLite format 3\x00"
LISTED = 5
"""Heads that are named one by one; then they are counted."""


class Anchor(NamedTuple):
    """At record `i` of the ledger the journal of the life `b` of `gate` ended with `head`."""

    i: int
    gate: str
    b: str
    head: str


@dataclass
class _Told:
    """What a journal holds: the hashes of its entries, and the lives that it tells of."""

    hashes: set[str] = field(default_factory=set)
    lives: set[Any] = field(default_factory=set)


def lacking(ledger: Path, journals: Iterable[Path]) -> list[str]:
    """What the ledger anchors and these journals, and those beside it, do not contain.

    Only gates that one of `journals` tells of are asked for, or all where it tells of none, as one
    that was emptied. Raises `OSError` and `sqlite3.Error`, and `ValueError` for a bad anchor.
    """
    anchors = _anchors(ledger)
    if not anchors:
        return []
    asked = [_told(file) for file in journals]
    hashes = set[str]().union(*(told.hashes for told in asked))
    for file in ledger.parent.glob("journal*.jsonl"):
        hashes |= _told(file).hashes
    gates: set[str] = set()
    for told in asked or [_Told()]:
        gates |= {each.gate for each in anchors if each.b in told.lives} or {
            each.gate for each in anchors
        }
    gone = [each for each in anchors if each.gate in gates and each.head not in hashes]
    said = [
        f"record {each.i} of {ledger.name} anchors the head {each.head:.16}… of {each.gate}, and "
        "no journal here contains it: emptied, cut off or written anew"
        for each in gone[:LISTED]
    ]
    if gone[LISTED:]:
        said.append(f"{len(gone)} anchored heads are missing in all")
    return said


def untold(ledger: Path, journals: Iterable[Path]) -> list[str]:
    """The gates whose heads the ledger anchors, and of which none of these journals tells.

    That is no proof of anything: a folder of evidence may hold the journals of a few. Raises as
    `lacking` does.
    """
    hashes = set[str]()
    anchors, told = _anchors(ledger), set[str]()
    for file in journals:
        known = _told(file)
        hashes |= known.hashes
        told |= {each.gate for each in anchors if each.b in known.lives}
    told |= {each.gate for each in anchors if each.head in hashes}
    return sorted({each.gate for each in anchors} - told)


def _anchors(ledger: Path) -> list[Anchor]:
    found = []
    for i, leaf in _records(ledger):
        if b'"anchor"' not in leaf:
            continue
        record = json.loads(leaf)
        if record["kind"] == "anchor" and record["body"].get("head", "") not in ("", GENESIS):
            body = record["body"]
            found.append(Anchor(i, str(body["gate"]), str(body["b"]), str(body["head"])))
    return found


def _records(ledger: Path) -> Iterator[tuple[int, bytes]]:
    """Of a server's file, or of an export."""
    with ledger.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            file.seek(0)
            yield from enumerate(itertools.takewhile(lambda line: not line.startswith(b"#"), file))
            return
    uri = f"{ledger.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as base:
        for i, leaf in base.execute("SELECT i, record FROM ledger ORDER BY i"):
            yield i, leaf if isinstance(leaf, bytes) else str(leaf).encode()


def _told(file: Path) -> _Told:
    """Never raises for what the file contains: a broken chain is for others to tell."""
    told = _Told()
    with file.open("rb") as lines:
        for line in lines:
            told.hashes.add(hashlib.sha256(line.rstrip(b"\n")).hexdigest())
            if b'"b":' in line:
                try:
                    told.lives.add(str(json.loads(line).get("b", "")))
                except (ValueError, AttributeError, RecursionError):
                    continue
    return told
