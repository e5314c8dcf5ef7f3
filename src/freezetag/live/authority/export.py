"""A database's ledger as text: one record a line, then the checkpoints, each line after a `#`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from freezetag.core.errors import RunError
from freezetag.live.authority.postgres_store import PostgresStore
from freezetag.live.authority.state_check import CHANGED
from freezetag.live.authority.state_seal import Row, fits
from freezetag.live.authority.store import StateRows
from freezetag.live.signed.merkle import LedgerError, read_record


def exported(url: str, authority: str, public: bytes, file: Path) -> tuple[list[Row], bytes]:
    """Writes what the database holds at one moment; the rows of its state, and their seal.

    Raises `StoreError` where that is not the ledger of this authority, `RunError` where the file
    cannot be written.
    """
    store = PostgresStore.to_read(url, authority, public)
    try:
        with store.snapshot() as seen, file.open("xb") as out:
            for _, leaf in seen.records:
                out.write(leaf + b"\n")
            for _, note in seen.notes:
                out.writelines(f"#{line}\n".encode() for line in note.splitlines())
            return seen.rows(), seen.seal
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror}.") from None
    finally:
        store.close()


def rows_problem(file: Path, rows: Sequence[Row], seal: bytes, public: bytes, root: str) -> str:
    """What is wrong with the state beside these verified records with this root (hex); or ""."""
    given = StateRows()
    size = 0
    try:
        with file.open("rb") as lines:
            for line in lines:
                if line.startswith(b"#"):
                    break
                fields = read_record(line)
                given.take(fields["kind"], fields["body"], size)
                size += 1
    except (LedgerError, LookupError, TypeError):
        return ""  # which is the verifier's to say
    kept = {row[0]: row for row in rows}
    good = kept == given.rows or fits(public, size, bytes.fromhex(root), rows, seal)
    return "" if good else CHANGED
