"""An archive of a ledger: segments in a folder, each a file of records under a signed checkpoint.

A segment `ledger-FIRST-END.jsonl` holds the records FIRST to END - 1, one a line, and after them
the checkpoint over all END, each of its lines after a `#`: the form of an export. So the segments
one after the other are the ledger, and `freezetag verify` reads the folder as one. A segment is
only added where the ledger still gives the root of the archive's newest checkpoint; nothing in the
folder is ever changed.

Caveat: the ledger itself keeps its records. An archive is a second copy, to be kept elsewhere.
"""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from freezetag.core.errors import RunError, UserError
from freezetag.live.signed.merkle import LedgerError, Tree, open_note

SQLITE = b"SQLite format 3\x00"
NAME = re.compile(r"ledger-(\d{12})-(\d{12})\.jsonl")

_Records = Callable[[int, int], Iterator[bytes]]
"""The records from the first of these numbers to before the second."""


@final
@dataclass(frozen=True)
class Segment:
    """A file of the records from `first` to before `end`."""

    path: Path
    first: int
    end: int

    @property
    def note(self) -> str:
        """The checkpoint over all `end` records."""
        lines = self.path.read_bytes().split(b"\n")
        marked = [line[1:].decode() for line in lines if line.startswith(b"#")]
        return "\n".join(marked) + "\n"


@final
class Archive:
    """The segments in a folder. Raises `UserError` for a folder in which one is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments: list[Segment] = []
        end = 0
        for file in sorted(folder.glob("ledger-*.jsonl")) if folder.is_dir() else ():
            if (found := NAME.fullmatch(file.name)) is None:
                continue
            segment = Segment(file, int(found[1]), int(found[2]))
            if segment.first != end:
                raise UserError(
                    f"{folder}: the records {end} to {segment.first - 1} are missing, or there "
                    f"twice: {file.name} does not follow. Put the segment back."
                )
            self.segments.append(segment)
            end = segment.end
        self.end = end

    def add(self, ledger: Path, authority: str, public: bytes) -> Segment | None:
        """What the ledger has beyond the archive, up to its newest checkpoint; None if nothing.

        `ledger` is a server's file, which it may be writing, or an export. Raises `UserError` where
        it does not continue the archive and `RunError` where a file cannot be read or written.
        """
        try:
            with _reading(ledger) as (size, note, records):
                if size <= self.end:
                    if size < self.end:
                        raise UserError(self._other(f"it has {size} records, these {self.end}"))
                    self._continues(records, authority, public)
                    return None
                self._continues(records, authority, public, size, note)
                return self._written(size, note, records(self.end, size))
        except sqlite3.Error as error:
            raise RunError(f"{ledger} cannot be read: {error}.") from None
        except OSError as error:
            raise RunError(f"{self.folder} cannot be written: {error.strerror}.") from None

    def _continues(
        self, records: _Records, authority: str, public: bytes, size: int = 0, note: str = ""
    ) -> None:
        """Raises `UserError` unless the ledger's records give the archive's newest root, and its
        own newest one."""
        marks = {size: note} if size else {}
        if self.segments:
            marks[self.end] = self.segments[-1].note
        tree = Tree()
        for leaf in records(0, max(marks, default=0)):
            tree.append(leaf)
        for end, signed in marks.items():
            try:
                if tree.size < end or open_note(signed, authority, public).root != tree.root(end):
                    raise LedgerError(f"its first {end} records give another root")
            except LedgerError as error:
                raise UserError(self._other(str(error))) from None

    def _other(self, why: str) -> str:
        return (
            f"this ledger does not continue the archive in {self.folder}: {why}. It was changed, "
            "cut back or is another one; nothing was written. See: freezetag verify"
        )

    def _written(self, size: int, note: str, leaves: Iterator[bytes]) -> Segment:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"ledger-{self.end:012d}-{size:012d}.jsonl"
        beside = path.with_suffix(".new")
        with beside.open("wb") as file:
            for leaf in leaves:
                file.write(leaf + b"\n")
            for line in note.splitlines():
                file.write(f"#{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o440)
        beside.replace(path)
        segment = Segment(path, self.end, size)
        self.segments.append(segment)
        self.end = size
        return segment


@contextmanager
def _reading(ledger: Path) -> Iterator[tuple[int, str, _Records]]:
    """Size and text of its newest checkpoint, ("", 0) if there is none; and its records."""
    with ledger.open("rb") as file:
        if file.read(16) != SQLITE:
            yield (*_newest(ledger), lambda first, end: _lines(ledger, first, end))
            return
    db = sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def records(first: int, end: int) -> Iterator[bytes]:
        rows = "SELECT record FROM ledger WHERE i >= ? AND i < ? ORDER BY i"
        for (leaf,) in db.execute(rows, (first, end)):
            yield leaf if isinstance(leaf, bytes) else str(leaf).encode()

    try:
        db.execute("BEGIN")
        newest = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1"
        yield (*(db.execute(newest).fetchone() or (0, "")), records)
    finally:
        db.close()


def _newest(export: Path) -> tuple[int, str]:
    notes: list[list[str]] = []
    with export.open("rb") as file:
        for line in file:
            if line.startswith(b"#freezetag/"):
                notes.append([])
            if line.startswith(b"#") and notes:
                notes[-1].append(line[1:].decode("utf-8", "replace"))
    texts = ["".join(lines) for lines in notes]
    sized = [(int(text.split("\n")[1]), text) for text in texts if text.split("\n")[1].isdigit()]
    return max(sized, default=(0, ""))


def _lines(export: Path, first: int, end: int) -> Iterator[bytes]:
    with export.open("rb") as file:
        for line in itertools.islice(file, first, end):
            if line.startswith(b"#"):
                return
            yield line.removesuffix(b"\n")
