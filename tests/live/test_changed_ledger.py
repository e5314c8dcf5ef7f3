"""A ledger that somebody changed while nobody served it: nothing is granted from what it says."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Run

from freezetag.live.authority.home import Home, Settings
from freezetag.live.authority.store import CHUNK, Head, grown
from freezetag.live.server import service as serving
from freezetag.live.server.service import Service
from freezetag.live.signed.keys import Person, generate
from freezetag.live.signed.verify import verify_file

PRESSED = 'CAST(record AS TEXT) LIKE \'%"kind":"press"%\''
FORGET = f"DELETE FROM state WHERE i = (SELECT i FROM ledger WHERE {PRESSED})"
NARROW = (
    "UPDATE ledger SET record = CAST(replace(CAST(record AS TEXT), 'agent:a', 'agent:z') AS BLOB) "
    f"WHERE {PRESSED}"
)
TRIGGER = (
    "CREATE TRIGGER later AFTER INSERT ON ledger BEGIN DELETE FROM state WHERE name = new.i; END"
)


@pytest.fixture
def made(tmp_path: Path) -> Home:
    """A folder in whose ledger `a` was started, and is pressed in a chunk that is whole."""
    people = [Person(name, generate()[1]) for name in ("ann", "bob")]
    home = Home.create(tmp_path / "home", Settings("lab"), people, solo=False)
    service = opened(home)
    enrol = {"agent": "a", "depends_on": [], "groups": [], "limits": {}, "safe_state": ""}
    start = {"agent": "a", "epoch": 1, "who": "ann"}
    anchor = {"b": "0" * 32, "gate": "gone", "head": "", "last": 0, "spent": {}}
    writes = [
        service.writer.submit(kind, body)
        for kind, body in [
            ("enrol", {**enrol, "on_stop": "rest_is_safe"}),
            ("start", start),
            *[("anchor", {**anchor, "last": n}) for n in range(CHUNK + 10)],
        ]
    ]
    for each in writes:
        each.result(20)
    service.press("agent:a", "ann")
    last = [service.writer.submit("anchor", {**anchor, "last": -n}) for n in range(1, CHUNK)]
    last[-1].result(20)
    service.close()
    return home


def opened(home: Home) -> Service:
    service = Service(home)
    service.open()
    return service


def changed(home: Home, statement: str) -> None:
    with closing(sqlite3.connect(home.ledger, isolation_level=None)) as db:
        rows = db.execute(statement).rowcount
    assert rows == 1 or statement.startswith("CREATE")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The whole check waits for this."""
    go_on, check = threading.Event(), serving.verify_behind

    def waiting(*given: Any) -> str:
        go_on.wait(20)
        return check(*given)

    monkeypatch.setattr(serving, "verify_behind", waiting)
    return go_on


def settled(service: Service, says: str) -> None:
    """Waits until the whole check has said this; "" for nothing."""
    told = threading.Event()
    service.changed.append(told.set)
    while True:
        said = service.doubts.get("chain", "")
        if says in said if says else not said:
            return
        assert told.wait(20)
        told.clear()


def test_a_whole_ledger_grants_before_all_of_it_is_checked(
    made: Home, slow: threading.Event
) -> None:
    service = opened(made)
    assert (service.doubts, service.authority.locked) == ({}, False)
    assert service.authority.facts.standing("a")
    slow.set()
    service.close()


@pytest.mark.parametrize("statement", [FORGET, NARROW, "DELETE FROM state WHERE name = 'start a'"])
def test_a_changed_ledger_grants_nothing(made: Home, slow: threading.Event, statement: str) -> None:
    changed(made, statement)
    for _ in range(2):  # what a locked server writes does not vouch for it
        slow.clear()
        service = opened(made)
        assert service.authority.locked
        slow.set()
        settled(service, "changed")
        assert service.authority.locked
        service.press("agent:b", "ann")
        service.close()


def test_a_ledger_without_a_seal_is_checked_first(made: Home, slow: threading.Event) -> None:
    """As an older version wrote it: nothing is granted before, all is as it was after."""
    changed(made, "DELETE FROM seal")
    service = opened(made)
    assert service.authority.locked
    assert "being checked" in service.doubts["chain"]
    slow.set()
    settled(service, "")
    assert not service.authority.locked
    service.press("agent:b", "ann")
    service.close()
    slow.clear()
    again = opened(made)
    assert not again.doubts  # it is sealed now
    slow.set()
    again.close()


def test_no_checkpoint_is_signed_over_a_changed_tail(made: Home) -> None:
    """Nor by what a locked server still writes: its presses. All that is derived fits."""
    with closing(sqlite3.connect(made.ledger, isolation_level=None)) as db:
        newest, leaf = db.execute("SELECT i, record FROM ledger ORDER BY i DESC").fetchone()
        db.execute(
            "UPDATE ledger SET record = ? WHERE i = ?", (leaf.replace(b"gone", b"here"), newest)
        )
        leaves = [leaf for (leaf,) in db.execute("SELECT record FROM ledger ORDER BY i")]
        head, _ = grown(Head(), leaves)
        db.execute("UPDATE peaks SET hashes = ?", (b"".join(head.peaks),))
    for _ in range(2):
        service = opened(made)
        assert service.authority.locked
        service.press("fleet", "ann")
        service.close()
    assert not verify_file(made.ledger, authority="lab", public=made.public).ok


def test_a_trigger_is_nobody_s_here(made: Home) -> None:
    changed(made, TRIGGER)
    service = opened(made)
    assert "trigger later" in " ".join(service.doubts.values())
    assert service.authority.locked
    service.close()
    report = verify_file(made.ledger, authority="lab", public=made.public)
    assert "trigger later" in " ".join(report.problems)


@pytest.mark.parametrize(
    "statement", [FORGET, "UPDATE state SET life = 'b' WHERE name = 'start a'"]
)
def test_verify_reads_the_state_too(made: Home, statement: str, run: Run) -> None:
    assert run("verify", str(made.path))[0] == 0
    changed(made, statement)
    code, said, _ = run("verify", str(made.path))
    assert (code, "the state that was kept is not" in said) == (1, True)
    changed(made, "DELETE FROM seal")
    assert run("verify", str(made.path))[0] == 1
