"""A folder that lost something: the server comes up, grants nothing, and the button works."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.live._serving import agent, enrolled, home, serving, started, until
from tests.live.conftest import Run
from tests.live.guards import Guarded

from freezetag.cli.commands.status import shown
from freezetag.live.authority.home import Home, HomeError
from freezetag.live.authority.sqlite_store import SqliteStore
from freezetag.live.authority.store import StoreError
from freezetag.live.console.page import console
from freezetag.live.gate.address import Denied
from freezetag.live.guard.own_authority import OwnAuthority


def cut(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[:300])


def without_a_record(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as db, db:
        db.execute("DELETE FROM ledger WHERE i = 0")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (Path.unlink, "ledger.db is gone"),
        (lambda ledger: ledger.write_bytes(b""), "ledger.db is empty"),
        (cut, "not a ledger of ours"),
        (without_a_record, "lacks records"),
    ],
)
def test_without_its_ledger_a_server_grants_nothing_and_the_button_works(
    tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    made = home(tmp_path / "lab")
    with serving(made) as remote:
        enrolled(remote, tmp_path)
        started(remote)
    kept = shutil.copy(made.ledger, tmp_path / "kept.db")
    damage(made.ledger)
    left = made.ledger.exists() and made.ledger.read_bytes()
    with serving(Home.open(made.path)) as remote:
        picture = remote.get("/api/status")
        assert any(told in why and "put back" in why for why in picture["locked"])
        assert picture["storage"] == "NOT durable"
        assert picture["banner"] == "unknown_in_flight"  # who is enrolled is not known
        assert "NOBODY" not in shown(picture)[0]
        assert "Who is enrolled is not known" in console(picture, {}, 0.0)
        with pytest.raises(Denied, match="locked"):
            started(remote)
        pressed = [each.state for each in remote.press("fleet", "fire")]
        assert pressed == ["stopping, NOT durable"] * len(pressed)
        assert "fire" in (made.path / "second.jsonl").read_text()
        wrong = {"the ledger cannot be written: it could not be opened"}
        wrong |= {"a press cannot be written: it could not be opened"}
        assert wrong.intersection(remote.get("/api/status")["locked"])
        assert all("OSError" not in why for why in remote.get("/api/status")["locked"])
    with serving(Home.open(made.path)) as remote:  # nobody put it back yet
        assert [press["reason"] for press in remote.get("/api/status")["presses"]] == ["fire"]
    assert (made.ledger.exists() and made.ledger.read_bytes()) == left
    shutil.copy(kept, made.ledger)
    with serving(Home.open(made.path)) as remote:
        until(lambda: remote.get("/api/status")["storage"] == "durable")
        picture = remote.get("/api/status")
        assert [press["reason"] for press in picture["presses"]] == ["fire"]
        assert picture["locked"] == []
        assert not agent(remote)["started"]


def test_a_new_folder_has_a_ledger_from_the_start(tmp_path: Path) -> None:
    made = home(tmp_path / "lab")
    with serving(made) as remote:
        assert remote.get("/api/status")["locked"] == []
    other = home(tmp_path / "other")
    other.ledger.unlink()
    with serving(other) as remote:
        assert "is gone" in remote.get("/api/status")["locked"][0]


def test_a_second_journal_that_cannot_be_read_may_hold_a_press(tmp_path: Path) -> None:
    made = home(tmp_path / "lab")
    (made.path / "second.jsonl").mkdir()
    with serving(made) as remote:
        assert any("second.jsonl" in why for why in remote.get("/api/status")["locked"])
        assert remote.press("fleet", "the button works")[0].state == "durable"
    (made.path / "second.jsonl").rmdir()
    (made.path / "second.jsonl").write_text('{"kind": "press", "body": {"id": 7}}\n')
    with serving(Home.open(made.path)) as remote:
        assert any("second.jsonl" in why for why in remote.get("/api/status")["locked"])


def test_a_guard_whose_ledger_is_gone_starts_nothing(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, command=("true",))
    assert guard.ended()[0] == 0
    (guard.state / "ledger.db").unlink()
    code, said = Guarded(tmp_path).ended()
    assert (code, "ledger.db is gone" in said) == (3, True), said
    assert "Traceback" not in said
    assert not guard.acted()


def test_a_guard_whose_ledger_cannot_be_written_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    OwnAuthority(tmp_path / "state", "true").close()

    def failing(*_: object) -> str:
        raise sqlite3.OperationalError("read only")

    monkeypatch.setattr(SqliteStore, "insert", failing)
    code, _, err = run("guard", "--state", "state", "--", "true")
    assert code == 3
    assert "state/ledger.db cannot be written: read only." in err
    own = OwnAuthority(tmp_path / "state", "true")  # the folder was let go
    with pytest.raises(StoreError, match="cannot be written"):
        own.start({})
    own.close()


def test_a_guard_whose_ledger_has_a_trigger_starts_nothing(run: Run, tmp_path: Path) -> None:
    OwnAuthority(tmp_path / "state", "true").close()
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.db")) as db:
        db.execute("CREATE TRIGGER no AFTER INSERT ON ledger BEGIN DELETE FROM state; END")
    code, _, err = run("guard", "--state", "state", "--", "touch", "acted")
    assert (code, "holds what no server of ours makes (trigger no)" in err) == (3, True)
    assert not (tmp_path / "acted").exists()


def test_a_folder_that_cannot_be_locked_is_not_served(run: Run, made: Home) -> None:
    (made.path / "lock").mkdir()
    code, _, err = run("serve", "oversight")
    assert code == 3
    assert "cannot open oversight/lock: Is a directory." in err


def test_an_address_that_cannot_be_written_down_is_told_and_served(made: Home) -> None:
    (made.path / "listening.json").mkdir()
    with serving(home(made.path.with_name("other"))):
        pass
    from freezetag.live.server.server import Server

    with Server(made) as server:
        assert any("listening.json" in alarm for alarm in server.service.authority.alarms)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("authority.json", '{"name": "lab",\n x', "is not what a server wrote (line 2)"),
        ("authority.json", "[]", "is not what a server wrote"),
        ("authority.json", '{"nome": "lab"}', "no such setting: nome"),
        ("authority.json", '{"length": -1}', "--length is a number of seconds above 0"),
        ("roster.json", '{"authority": "lab"}', "is not what a server wrote"),
        ("roster.json", None, "is not there"),
        ("secret", None, "is not there"),
        ("secret", "abc", "is not what a server wrote"),
        ("signing", "abcd", "is not what a server wrote"),
        ("tokens.json", '[{"hash": 1}]', "is not what a server wrote"),
    ],
)
def test_a_damaged_file_of_the_folder_is_named_in_plain_words(
    run: Run, made: Home, file: str, content: str | None, told: str
) -> None:
    if content is None:
        (made.path / file).unlink()
    else:
        (made.path / file).write_text(content)
    code, _, err = run("serve", "oversight")
    assert code == 2
    assert f"oversight/{file}" in err
    assert told in err
    for word in ("Errno", "Expecting", "Error:", "non-hexadecimal", "NoneType"):
        assert word not in err
    with pytest.raises(HomeError, match=file):
        Home.open(made.path)


def test_another_authoritys_roster_is_refused(made: Home) -> None:
    roster = json.loads((made.path / "roster.json").read_text())
    (made.path / "roster.json").write_text(json.dumps(roster | {"authority": "else"}))
    with pytest.raises(HomeError, match="the roster is of else, not of lab"):
        Home.open(made.path)
