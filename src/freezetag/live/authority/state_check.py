"""Whether the table `state` of a ledger's copy is what its records give, for `freezetag verify`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from freezetag.live.authority.sqlite_store import ROWS
from freezetag.live.authority.state_seal import fits
from freezetag.live.authority.store import StateRows, as_bytes
from freezetag.live.signed.merkle import LedgerError, read_record

CHANGED = "the state that was kept is not the state that the records give: changed"


def state_problem(path: Path, public: bytes, root: str) -> str:
    """What is wrong with the state beside verified records with this root (hex); "" if nothing is.

    With a seal that fits, no record is read again. What cannot be read is the verifier's to say.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            db.execute("BEGIN")
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if "state" not in tables:
                return ""
            rows = {row[0]: row for row in db.execute(ROWS)}
            (size,) = db.execute("SELECT count(*) FROM ledger").fetchone()
            seal = db.execute("SELECT signature FROM seal").fetchone() if "seal" in tables else None
            signature = as_bytes(seal[0]) if seal else b""
            if fits(public, size, bytes.fromhex(root), rows.values(), signature):
                return ""
            given = StateRows()
            for i, leaf in db.execute("SELECT i, record FROM ledger ORDER BY i"):
                fields = read_record(as_bytes(leaf))
                given.take(fields["kind"], fields["body"], i)
    except (sqlite3.Error, LedgerError, LookupError, TypeError, ValueError):
        return ""
    return "" if rows == given.rows else CHANGED
