"""What a verification was of, and by what: whoever cites its result cites these lines, too.

A ledger is as good as the key that it was verified with, so this says where that key was from.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

SQLITE = b"SQLite format 3\x00"
LONGEST = 1 << 20
"""Bytes of the end of an export in which its last record is looked for."""


def cited(
    file: Path,
    public: Path,
    rule: Mapping[str, Any],
    kept: Mapping[str, Any],
    *,
    beside: bool,
) -> dict[str, Any]:
    """The facts, as JSON. `beside`: the key came with the ledger. `kept`: checkpoints from
    elsewhere that the ledger contains, by what they are: a file's name."""
    first, last = _span(file)
    return {
        "authority": rule["authority"],
        "key": hashlib.sha256(rule["public"]).hexdigest(),
        "key_from": str(public),
        "key_beside": beside,
        "people": sorted(rule["people"]),
        "quorum": rule["quorum"],
        "first": first,
        "last": last,
        "kept": dict(kept),
        "version": metadata.version("freezetag"),
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """The same for people."""
    from freezetag.report.words import plain

    key = f"SHA-256 of its public key {found['key']}, from {plain(found['key_from'])}"
    told = [f"authority {plain(found['authority'])}; {key}"]
    if found["key_beside"]:
        told.append(
            "CAUTION: the key came with the ledger. Whoever can change both can make both: compare "
            "it with one from elsewhere, or name that with --public"
        )
    n = found["quorum"]
    signers = "1 signature clears" if n == 1 else f"{n} signatures clear"
    told.append(f"people: {plain(', '.join(found['people']))}; {signers} a press")
    if found["first"] is not None:
        span = f"{_moment(found['first'])} to {_moment(found['last'])}"
        told.append(f"records from {span}, by the authority's own clock")
    for what, where in found["kept"].items():
        told.append(f"checkpoint kept elsewhere: {what}, {plain(where)}")
    if not found["kept"]:
        told.append("no checkpoint kept elsewhere was given, so records may be missing at the end")
    return [*told, f"freezetag {found['version']}"]


def _moment(at: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at % 1000:03d} UTC"


def _span(file: Path) -> tuple[int | None, int | None]:
    """When the first and the last record say that they are from; None where none can be read."""
    try:
        first, last = _ends(file)
        times = int(json.loads(first)["at"]), int(json.loads(last)["at"])
        for each in times:
            _moment(each)
        return times
    except (OSError, sqlite3.Error, LookupError, TypeError, ValueError, OverflowError,
            RecursionError):  # fmt: skip
        return None, None


def _ends(file: Path) -> tuple[bytes, bytes]:
    if file.is_dir():  # an archive
        files = sorted(file.glob("ledger-*-*.jsonl"))
        return _ends(files[0])[0], _ends(files[-1])[1]
    with file.open("rb") as opened:
        if opened.read(len(SQLITE)) == SQLITE:
            return _rows(file)
        opened.seek(0)
        first = opened.readline(LONGEST)
        opened.seek(max(0, file.stat().st_size - LONGEST))
        rest = opened.read().splitlines()
    return first, [line for line in rest if not line.startswith(b"#")][-1]


def _rows(file: Path) -> tuple[bytes, bytes]:
    uri = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as base:
        first, last = (
            base.execute(f"SELECT record FROM ledger ORDER BY i {way} LIMIT 1").fetchone()[0]
            for way in ("ASC", "DESC")
        )
    return first, last
