"""Random tamperings of a ledger, found by the offline verifier; of what is derived, by the server.

The long mode is `python -m tests.live.tampering --runs 10000`.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.live import tampering
from tests.live.worlds import PEOPLE

from freezetag.live.authority.home import Home, Settings
from freezetag.live.authority.sqlite_store import SqliteStore
from freezetag.live.authority.store import CHUNK, StoreError
from freezetag.live.server.startup import restore, verify_behind
from freezetag.live.signed.keys import Person
from freezetag.live.signed.merkle import Checkpoint, record, sign_note
from freezetag.live.signed.verify import verify_file


def test_every_tampering_is_found() -> None:
    """Given a checkpoint kept elsewhere; and without one, all but a cut to an older checkpoint."""
    counts = tampering.run(22 * len(tampering.KINDS), seed=1)
    for kind, count in counts.items():
        assert count["found"] == count["runs"] > 0, kind
        alone = 0 if kind in tampering.NEEDS_WITNESS else count["runs"]
        assert count["alone"] == alone, kind


CHANGES = {
    "a press is forgotten": "DELETE FROM state WHERE i = (SELECT min(i) FROM state)",
    "an older start counts": "UPDATE state SET i = 2 WHERE name = 'start a'",
    "a state that no record made": "INSERT INTO state VALUES ('start z', 5, NULL)",
    "a hash of a whole chunk": "UPDATE leaves SET hashes = zeroblob(32768) WHERE n = 0",
    "the roots of subtrees": "UPDATE peaks SET hashes = zeroblob(length(hashes))",
    "a record": "UPDATE ledger SET record = replace(record, 'who', 'why') WHERE i = 2",
    "the last records": f"DELETE FROM ledger WHERE i > {CHUNK}",
    "the newest checkpoint": f"DELETE FROM checkpoint WHERE size > {CHUNK}",
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_start_reads_is_checked(what: str, tmp_path: Path) -> None:
    """Also what is derived from the records, which the offline verifier need not look at."""
    people = [Person(name, PEOPLE[name][1]) for name in ("ann", "bob")]
    home = Home.create(tmp_path / "home", Settings("own"), people, solo=False)

    def opened() -> SqliteStore:
        return SqliteStore(
            home.ledger, lambda n, root: sign_note(Checkpoint("own", n, root), home.signing)
        )

    store = opened()
    for number in range(CHUNK // 64 + 1):
        bodies = tampering._bodies(number, 64)
        first = store.head.size
        leaves = [record(first + i, *body, 1000) for i, body in enumerate(bodies)]
        store.insert(leaves, bodies)
    assert restore(home, store).doubt == ""
    assert verify_behind(home, store, lambda: False) == ""
    store.close()
    with closing(sqlite3.connect(home.ledger, isolation_level=None)) as db:
        assert db.execute(CHANGES[what]).rowcount > 0
    try:
        store = opened()
        doubts = [restore(home, store).doubt, verify_behind(home, store, lambda: False)]
        store.close()
    except StoreError as error:
        doubts = [str(error)]
    assert any(doubts), what


def test_a_ledger_that_is_being_written_verifies(tmp_path: Path) -> None:
    """Checkpoints and records are read as of one moment."""
    store = SqliteStore(
        tmp_path / "ledger.db",
        lambda n, root: sign_note(Checkpoint("own", n, root), tampering.PRIVATE),
    )
    bodies = tampering._bodies(1, 5)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            first = store.head.size
            store.insert([record(first + i, *b, 1) for i, b in enumerate(bodies)], bodies)

    store.insert([record(i, *b, 1) for i, b in enumerate(bodies)], bodies)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            report = verify_file(store.path, authority="own", public=tampering.PUBLIC)
            assert report.ok, report.problems
    finally:
        ended.set()
        writer.join()
        store.close()
