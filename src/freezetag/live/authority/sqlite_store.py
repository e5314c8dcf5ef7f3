"""The ledger in SQLite: what one transaction writes, and what a start reads.

WAL with `synchronous=FULL`. Beside the records, each transaction keeps what is derived from them:
`state` (which records make up the state), `leaves` (the hashes of whole chunks), `peaks` (the roots
of the full subtrees), the signed checkpoint of the new size, and the `seal` of the state. So a
start reads little, and a ledger whose newest checkpoint does not cover it exactly was not left
behind by us.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import final

from freezetag.live.authority.state_seal import MODULUS, Row, Seal, message, total
from freezetag.live.authority.store import (
    CHUNK,
    Body,
    Head,
    News,
    Sign,
    Snapshot,
    StoreError,
    as_bytes,
    grown,
    split,
    standing,
)
from freezetag.live.signed.merkle import leaf_hash

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS ledger(i INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS state(name TEXT PRIMARY KEY, i INTEGER NOT NULL, life TEXT)",
    "CREATE INDEX IF NOT EXISTS lives ON state(life)",
    "CREATE TABLE IF NOT EXISTS leaves(n INTEGER PRIMARY KEY, hashes BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS peaks(one INTEGER PRIMARY KEY, hashes BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS seal(one INTEGER PRIMARY KEY, signature BLOB NOT NULL)",
)
ROWS = "SELECT name, i, life FROM state"
OBJECTS = "SELECT type, name, sql FROM sqlite_master"
FROM = "SELECT i, record FROM ledger WHERE i >= ? AND i < ? ORDER BY i"
NEWEST = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1"
Connect = Callable[[str], sqlite3.Connection]


def lost(path: Path) -> str:
    """That a ledger is not there any more; "" if it is. Every folder is made with one.

    To be asked before it is opened: SQLite would make a new one, and drop what a WAL still holds.
    """
    try:
        if path.stat().st_size:
            return ""
    except FileNotFoundError:
        return f"{path} is gone."
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    return f"{path} is empty."


def connected(path: str) -> sqlite3.Connection:
    """How a ledger is opened for writing; tests give one that fails or hangs."""
    return sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)


_Inode = tuple[int, int]


@final
class SqliteStore:
    """Used by the one writer thread, but for the methods that read over connections of their own.

    Raises `StoreError` for a file that is not a ledger or has gaps, and `sqlite3.Error` or
    `OSError` from `insert`. With `shut`, which says why, the file is left alone: nothing is
    read or written.
    The state is sealed with `seal` once it is `vouched` for: that it is what the records give.
    While it is `doubted` that the records are ours, records are added and no checkpoint is signed:
    it would vouch for what was changed.
    """

    period: float | None = None
    """Nobody else writes here."""

    def __init__(
        self,
        path: str | Path,
        sign: Sign,
        connect: Connect = connected,
        *,
        seal: Seal | None = None,
        shut: str = "",
    ) -> None:
        self.path, self.shut = Path(path), shut
        self.vouched = self.doubted = False
        self._sign, self._connect, self._seal, self._total = sign, connect, seal, 0
        self._db: sqlite3.Connection | None = None
        self._file: _Inode | None = None  # what is open: the ledger, and its write-ahead log
        self._wal: _Inode | None = None
        if shut:
            self.head = Head()
            return
        try:
            db = self.open()
            count, last = db.execute("SELECT count(*), max(i) FROM ledger").fetchone()
            if count and last != count - 1:
                raise StoreError(
                    f"{path} lacks records: {count} are there, the last is numbered {last}. "
                    "See what is missing with `freezetag verify`, and restore the file."
                )
            row = db.execute("SELECT hashes FROM peaks").fetchone() or (b"",)
            self._total = total(db.execute(ROWS))
        except sqlite3.Error as error:
            raise StoreError(f"{path} is not a ledger of ours: {error}.") from None
        tail = tuple(leaf_hash(record) for _, record in self.records(count // CHUNK * CHUNK, count))
        self.head = Head(count, split(bytes(row[0])), tail)
        self.vouched = not count and not self._total

    def open(self) -> sqlite3.Connection:
        """Opens the file, again if it was open. Raises `StoreError` if another lies there now."""
        self.close()
        if self._file is not None and _inode(self.path) != self._file:
            raise StoreError(self._gone(self.path))
        self._db = db = self._connect(str(self.path))
        self._file, self._wal = _inode(self.path), None
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        for statement in SCHEMA:
            db.execute(statement)
        if others := foreign(db):
            self.close()
            raise StoreError(
                f"{self.path} holds what no server of ours makes ({others}), and nobody knows what "
                "it does to a record: see `freezetag verify`, and restore the file."
            )
        return db

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    def insert(self, leaves: Sequence[bytes], records: Sequence[tuple[str, Body]]) -> str:
        """One transaction: the leaves and all that is derived from them; gives the new note."""
        if self.shut:
            raise OSError(self.shut)
        old = self.head
        new, chunks = grown(old, leaves)
        note = self.note()[1] if self.doubted else self._sign(new.size, new.root)
        if self._db is not None and _inode(self.path) != self._file:
            raise StoreError(self._gone(self.path))
        db = self._db or self.open()
        execute, many = db.execute, db.executemany
        summed = self._total
        execute("BEGIN IMMEDIATE")
        try:
            many("INSERT INTO ledger VALUES (?, ?)", enumerate(leaves, old.size))
            for i, (kind, body) in enumerate(records, old.size):
                name, life, over = standing(kind, body, i)
                gone: list[Row] = []
                if over:
                    gone += execute(f"{ROWS} WHERE life = ?", (over,))
                    execute("DELETE FROM state WHERE life = ?", (over,))
                if name:
                    gone += execute(f"{ROWS} WHERE name = ?", (name,))
                    execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (name, i, life))
                    summed = total([(name, i, life)], summed)
                summed = (summed - total(gone)) % MODULUS
            many("INSERT OR REPLACE INTO leaves VALUES (?, ?)", chunks)
            execute("INSERT OR REPLACE INTO peaks VALUES (1, ?)", (b"".join(new.peaks),))
            if not self.doubted:  # one checkpoint a chunk is kept, and the newest
                execute("DELETE FROM checkpoint WHERE size > ?", (new.size // CHUNK * CHUNK,))
                execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (new.size, note))
            if self.vouched and self._seal is not None:
                signature = self._seal(message(new.size, new.root, summed))
                execute("INSERT OR REPLACE INTO seal VALUES (1, ?)", (signature,))
            execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise
        self._still_there()
        self.head, self._total = new, summed
        return note

    def _still_there(self) -> None:
        """What was committed is in the files that the next start reads, and not in removed ones."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        if _inode(self.path) != self._file:
            raise StoreError(self._gone(self.path))
        found = _inode(wal)
        self._wal = self._wal or found
        if found is None or found != self._wal:
            raise StoreError(self._gone(wal))

    def _gone(self, path: Path) -> str:
        return (
            f"{path} is not the file that was opened: it was moved, removed or replaced while the "
            "server runs. Put it back, or end the server and restore the ledger."
        )

    def come_up(self) -> bool:
        """It is open from construction, or shut for good."""
        return not self.shut

    def serve(self) -> None:
        """Nothing waits for that here."""

    def now(self) -> float:
        return time.time()

    def look(self) -> News:
        return News(self.head.size)

    def begin(self) -> News:
        """Nobody else writes, so there is nothing to learn first."""
        return News(self.head.size)

    def settle(self, leaves: Sequence[bytes]) -> News:
        """After an `insert` that failed: opens the file again; the leaves if they are there.

        A commit may fail when all was written. Then a checkpoint of the WAL syncs it once more.
        """
        first = self.head.size
        if self.shut:
            return News(first)
        db = self.open()
        end = first + len(leaves)
        (size,) = db.execute("SELECT coalesce(max(i) + 1, 0) FROM ledger").fetchone()
        if size not in (first, end):
            raise StoreError(
                f"{self.path} holds {size} records now, and {first} were stored: its write-ahead "
                "log was taken away while the server runs. End the server and restore the ledger."
            )
        found = [as_bytes(row[1]) for row in db.execute(FROM, (first, end))]
        if found != list(leaves):
            return News(first)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.head, _ = grown(self.head, leaves)
        self._total = total(db.execute(ROWS))
        return News(first, tuple(leaves), self.note()[1])

    # Reading, from any thread.

    def leaf_hashes(self) -> Iterator[bytes]:
        """The leaf hash of every record: whole chunks as stored, the rest hashed now."""
        at = 0
        with self.reading() as db:
            for n, chunk in db.execute("SELECT n, hashes FROM leaves ORDER BY n"):
                whole = n * CHUNK == at and len(chunk) == 32 * CHUNK
                if not whole or at + CHUNK > self.head.size:
                    break
                yield from split(chunk)
                at += CHUNK
        for _, record in self.records(at):
            yield leaf_hash(record)

    def state(self) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the records that make up the state, in order."""
        with self.reading() as db:
            rows = db.execute("SELECT i, record FROM state JOIN ledger USING (i) ORDER BY i")
            for i, leaf in rows:
                yield i, as_bytes(leaf)

    def sealed(self) -> tuple[list[Row], bytes]:
        """The rows of the state, and the signature that vouches for them; b"" if none does."""
        with self.reading() as db:
            row = db.execute("SELECT signature FROM seal").fetchone() or (b"",)
            return list(db.execute(ROWS)), as_bytes(row[0])

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the records from `start`, before `stop`."""
        with self.reading() as db:
            for i, leaf in db.execute(FROM, (start, self.head.size if stop is None else stop)):
                yield i, as_bytes(leaf)

    def note(self) -> tuple[int, str]:
        """Size and text of the newest checkpoint; (0, "") if there is none."""
        with self.reading() as db:
            return db.execute(NEWEST).fetchone() or (0, "")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """All of it at one moment. Raises `StoreError`."""
        with self.reading() as db:
            db.execute("BEGIN")
            rows = db.execute("SELECT i, record FROM ledger ORDER BY i")
            yield Snapshot(
                tuple(db.execute("SELECT size, note FROM checkpoint ORDER BY size")),
                ((i, as_bytes(leaf)) for i, leaf in rows),
                lambda: list(db.execute(ROWS)),
            )

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own to read with. Raises `StoreError`."""
        if self.shut:
            raise StoreError(self.shut)
        try:
            with contextlib.closing(sqlite3.connect(self.path, check_same_thread=False)) as db:
                yield db
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be read: {error}.") from None


def _inode(path: Path) -> _Inode | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def foreign(db: sqlite3.Connection) -> str:
    """What of the schema is not ours, such as a trigger that runs with each record; "" if nothing.

    SQLite's own names are nobody else's to give.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for statement in SCHEMA:
            model.execute(statement)
        ours = set(model.execute(OBJECTS))
    others = [
        f"{kind} {name}"
        for kind, name, _ in sorted(set(db.execute(OBJECTS)) - ours, key=str)
        if kind not in ("table", "index") or not name.startswith("sqlite_")
    ]
    return ", ".join(others)
