"""The ledger's file and its writer: numbered, complete, honest when the disk fails or hangs."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from freezetag.live.authority.sqlite_store import SqliteStore, connected
from freezetag.live.authority.store import CHUNK, StoreError
from freezetag.live.server.second_journal import SecondJournal
from freezetag.live.server.writer import Writer
from freezetag.live.signed.keys import generate
from freezetag.live.signed.merkle import (
    Checkpoint,
    Tree,
    leaf_hash,
    open_note,
    read_record,
    record,
    sign_note,
)
from freezetag.live.signed.verify import verify_file

PRIVATE, PUBLIC = generate()
FULL = "database or disk is full"


class Disk:
    """What the file system does at a COMMIT; the connections it gives ask it."""

    def __init__(self) -> None:
        self.failures = 0
        self.after = False
        self.hang: threading.Event | None = None
        self.asked = threading.Event()

    def connect(self, path: str) -> sqlite3.Connection:
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                if sql != "COMMIT":
                    return super().execute(sql, *rest)
                disk.asked.set()
                if disk.hang is not None:
                    disk.hang.wait(20)
                if disk.failures and disk.after:
                    super().execute(sql, *rest)
                if disk.failures:
                    disk.failures -= 1
                    raise sqlite3.OperationalError(FULL)
                return super().execute(sql, *rest)

        return sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=Connection
        )


def sign(size: int, root: bytes) -> str:
    return sign_note(Checkpoint("lab", size, root), PRIVATE)


def opened(path: Path, disk: Disk | None = None) -> SqliteStore:
    return SqliteStore(path / "ledger.db", sign, disk.connect if disk else connected)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def writer(tmp_path: Path, disk: Disk) -> Iterator[Writer]:
    made = Writer(opened(tmp_path, disk), lambda leaves, note: None)
    made.start()
    yield made
    if disk.hang is not None:
        disk.hang.set()
    made.close()


def kinds(path: Path) -> list[str]:
    store = opened(path)
    try:
        return [read_record(leaf)["kind"] for _, leaf in store.records()]
    finally:
        store.close()


def test_every_size_is_covered_by_a_signed_checkpoint(tmp_path: Path) -> None:
    store, tree = opened(tmp_path), Tree()
    for size in (1, 2, CHUNK - 4, 5, 2 * CHUNK, 1):
        first = store.head.size
        leaves = [
            b'{"at":1,"body":{},"i":%d,"kind":"anchor","v":1}' % i
            for i in range(first, first + size)
        ]
        note = store.insert(leaves, [("note", {})] * size)
        for leaf in leaves:
            tree.append(leaf)
        assert open_note(note, "lab", PUBLIC) == Checkpoint("lab", tree.size, tree.root())
        assert store.note() == (tree.size, note)
    rebuilt = Tree()
    for digest in store.leaf_hashes():
        rebuilt.append_hash(digest)
    assert rebuilt.root() == tree.root()
    store.close()
    again = opened(tmp_path)
    assert again.head == store.head
    assert len(list(again.leaf_hashes())) == again.head.size == 3 * CHUNK + 5
    assert b"".join(again.head.open_chunk) == b"".join(
        leaf_hash(leaf) for _, leaf in again.records(3 * CHUNK)
    )
    again.close()
    report = verify_file(tmp_path / "ledger.db", authority="lab", public=PUBLIC)
    assert report.ok, report.problems
    assert report.checkpoints >= 3


def test_records_are_numbered_in_the_order_they_came_in(tmp_path: Path, writer: Writer) -> None:
    futures = [writer.submit("press" if n % 3 else "note", {"n": n}) for n in range(500)]
    assert [future.result(10) for future in futures] == list(range(500))
    writer.close()
    store = opened(tmp_path)
    assert [read_record(leaf)["body"]["n"] for _, leaf in store.records()] == list(range(500))
    assert [read_record(leaf)["body"]["n"] for _, leaf in store.state()] == [
        n for n in range(500) if n % 3
    ]
    store.close()


def test_a_full_disk_delays_a_press_and_fails_what_would_free(
    tmp_path: Path, writer: Writer, disk: Disk
) -> None:
    disk.failures = 3
    press, start = writer.submit("press", {"n": 1}), writer.submit("start", {"agent": "a"})
    with pytest.raises(StoreError, match=FULL):
        start.result(10)
    assert press.result(10) == 0
    assert writer.trouble == ""
    writer.close()
    assert kinds(tmp_path) == ["press"]


def test_a_commit_that_fails_after_it_was_written_is_not_written_twice(
    tmp_path: Path, writer: Writer, disk: Disk
) -> None:
    disk.failures, disk.after = 1, True
    futures = [writer.submit(kind, {"agent": "a"}) for kind in ("press", "start", "held")]
    assert [future.result(10) for future in futures] == [0, 1, 2]
    assert writer.submit("press", {}).result(10) == 3
    writer.close()
    assert kinds(tmp_path) == ["press", "start", "held", "press"]


def test_sqlite_itself_says_that_it_is_full(tmp_path: Path) -> None:
    pages: list[sqlite3.Connection] = []

    def small(path: str) -> sqlite3.Connection:
        pages.append(connected(path))
        pages[-1].execute("PRAGMA max_page_count=12")
        return pages[-1]

    writer = Writer(SqliteStore(tmp_path / "ledger.db", sign, small), lambda *_: None)
    writer.start()
    press = writer.submit("press", {"reason": "x" * 100_000})
    start = writer.submit("start", {"agent": "a"})
    with pytest.raises(StoreError, match="full"):
        start.result(10)
    assert "full" in writer.trouble
    assert not press.done()
    writer.close()
    with pytest.raises(StoreError, match="full"):
        press.result(0)


def test_a_store_that_hangs_is_noticed(writer: Writer, disk: Disk) -> None:
    assert writer.stalled() == 0
    disk.hang = threading.Event()
    press = writer.submit("press", {})
    assert disk.asked.wait(10)
    with pytest.raises(TimeoutError):
        press.result(0.05)
    assert writer.stalled() >= 0.04
    disk.hang.set()
    assert press.result(10) == 0


def test_what_has_no_canonical_form_fails_alone(writer: Writer) -> None:
    bad, good = writer.submit("press", {"x": float("nan")}), writer.submit("press", {})
    with pytest.raises(StoreError):
        bad.result(10)
    assert good.result(10) == 0


@pytest.mark.parametrize("statement", ["DELETE FROM ledger WHERE i = 3", "DROP TABLE ledger"])
def test_a_ledger_with_gaps_is_refused(tmp_path: Path, statement: str) -> None:
    store = opened(tmp_path)
    store.insert([b"%d" % n for n in range(9)], [("note", {})] * 9)
    store.close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute(statement)
    db.close()
    if "DROP" in statement:
        assert opened(tmp_path).head.size == 0  # then the checkpoint gives it away
        assert opened(tmp_path).note()[0] == 9
    else:
        with pytest.raises(StoreError, match="lacks records: 8 are there"):
            opened(tmp_path)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("a thesis, years of work" * 100)
    with pytest.raises(StoreError, match="not a ledger"):
        opened(tmp_path)


def test_the_second_journal_keeps_what_it_synced(tmp_path: Path) -> None:
    second = SecondJournal(tmp_path / "second.jsonl")
    assert second.append("press", {"id": "a"})
    assert second.append("repeat", {"id": "a"})
    with second.path.open("ab") as file:
        file.write(b'{"body": {"id": "b"}, "ki')
    assert second.read() == [("press", {"id": "a"}), ("repeat", {"id": "a"})]
    second.clear()
    assert second.read() == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_second_journal_that_hangs_or_fails_says_no(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    pipe = SecondJournal(tmp_path / "pipe")
    assert not pipe.append("press", {}, timeout=0.05)
    (tmp_path / "pipe").open("rb").close()
    assert not SecondJournal(tmp_path / "none" / "second.jsonl").append("press", {}, 0.05)


@pytest.mark.parametrize("instead", ["nothing", "a copy"])
def test_what_went_into_a_file_that_was_taken_away_is_not_stored(
    tmp_path: Path, writer: Writer, instead: str
) -> None:
    """The connection writes on into the files it opened; the next start reads others."""
    path, away = tmp_path / "ledger.db", tmp_path / "away"
    writer.submit("press", {"id": "0"}).result(10)
    away.mkdir()
    moved = [*tmp_path.glob("ledger.db*")]
    for file in moved:
        file.rename(away / file.name)
    if instead == "a copy":
        with closing(sqlite3.connect(away / path.name)) as db, closing(sqlite3.connect(path)) as to:
            db.backup(to)
    waiting = writer.submit("press", {"id": "1"})
    with pytest.raises(TimeoutError):
        waiting.result(0.5)
    assert "moved, removed or replaced" in writer.trouble
    for file in moved:  # put back, it goes on
        (away / file.name).replace(file)
    assert waiting.result(60) == 1


def test_records_lost_with_the_write_ahead_log_are_missed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger.db", lambda size, root: "")
    leaves = [record(n, "press", {"id": str(n)}, 0) for n in range(2)]
    store.insert(leaves[:1], [("press", {"id": "0"})])
    kept = (tmp_path / "ledger.db").read_bytes()
    store.insert(leaves[1:], [("press", {"id": "1"})])
    store.close()  # which folds the log in
    (tmp_path / "ledger.db").write_bytes(kept)  # as it is where the log was lost before that
    with pytest.raises(StoreError, match="0 records now, and 2 were stored"):
        store.settle([record(2, "press", {"id": "2"}, 0)])
    store.close()
