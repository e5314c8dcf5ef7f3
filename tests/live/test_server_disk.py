"""A real server and its disk: one that is full or hangs, and what survives a restart."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import (
    enrolled,
    gated,
    home,
    serving,
    started,
    until,
)
from tests.live.test_store import Disk

from freezetag.live.authority.home import Home
from freezetag.live.gate.address import Denied
from freezetag.live.remote.operator import local
from freezetag.live.server.service import Service


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


# The disk.


def test_a_full_disk_at_the_press_stops_first_and_says_not_durable(
    made: Home, tmp_path: Path
) -> None:
    disk = Disk()
    with serving(made, disk.connect) as remote, gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        disk.failures = 10**6
        told: list[Any] = []
        thread = threading.Thread(target=lambda: told.extend(remote.press("fleet", "fire")))
        thread.start()
        until(lambda: not gate.is_open, 0.8)  # before anybody is answered
        thread.join()
        assert {each.state for each in told} == {"stopping, NOT durable"}
        assert "fire" in (made.path / "second.jsonl").read_text()
        picture = remote.get("/api/status")
        assert picture["storage"] == "NOT durable"
        assert any("full" in why or "press" in why for why in picture["locked"])
        with pytest.raises(Denied, match=r"locked: .*cannot be written"):
            started(remote)
        disk.failures = 0
        until(lambda: remote.get("/api/status")["storage"] == "durable")
        until(lambda: not remote.get("/api/status")["locked"])
        assert not (made.path / "second.jsonl").exists()
        assert len(remote.get("/api/status")["presses"]) == 1


def test_a_store_that_hangs_grants_nothing_and_loses_no_press(made: Home, tmp_path: Path) -> None:
    disk = Disk()
    with serving(made, disk.connect) as remote:
        files = [enrolled(remote, tmp_path), enrolled(remote, tmp_path, "reader")]
        with gated(files[0]) as pressed, gated(files[1], name="reader") as other:
            started(remote)
            started(remote, "reader")
            until(lambda: pressed.is_open and other.is_open)
            disk.hang = threading.Event()
            begun = time.monotonic()
            told = remote.press("agent:writer", "smoke")
            assert time.monotonic() - begun < 3
            assert {each.state for each in told} == {"stopping, NOT durable"}
            assert not pressed.is_open
            until(lambda: not other.is_open, 3)  # its lease is not renewed either
            disk.hang.set()
            until(lambda: remote.get("/api/status")["storage"] == "durable")
    with serving(Home.open(made.path)) as remote:
        assert [press["reason"] for press in remote.get("/api/status")["presses"]] == ["smoke"]


def test_what_only_the_second_journal_has_is_in_force_after_a_restart(made: Home) -> None:
    press = {"id": "a" * 32, "scope": "fleet", "who": "ada", "when": 1, "reason": "r"}
    entry = {"kind": "press", "body": {**press, "category": 0, "kind": "press"}}
    (made.path / "second.jsonl").write_text(json.dumps(entry) + "\n")
    with serving(made) as remote:
        until(lambda: remote.get("/api/status")["size"] == 1)
        assert [each["id"] for each in remote.get("/api/status")["presses"]] == ["a" * 32]


# Restarts.


def test_a_server_comes_up_locked(made: Home, tmp_path: Path) -> None:
    service = Service(made)
    assert service.authority.locked
    assert service.doubts
    service.open()
    assert not service.authority.locked
    service.close()


def test_a_server_leaves_the_logging_of_its_program_alone(made: Home, tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "program.log")
    with serving(made):
        assert handler.stream is not None, "the server closed a handler that is not its own"
    handler.close()


def test_a_press_that_was_answered_survives_kill_9(made: Home) -> None:
    command = [sys.executable, "-m", "freezetag", "serve", str(made.path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        told = local(made.path).press("group:0", "before the end")
        os.kill(process.pid, signal.SIGKILL)
    assert {each.state for each in told} == {"durable"}
    with serving(Home.open(made.path)) as remote:
        picture = remote.get("/api/status")
        assert [press["scope"] for press in picture["presses"]] == ["group:0"]
        assert picture["locked"] == []


def test_an_older_copy_of_the_ledger_stays_locked(made: Home, tmp_path: Path) -> None:
    from freezetag.live.gate.latch import MemoryLatch

    latch = MemoryLatch()
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        started(remote)
        older = tmp_path / "older.db"
        with sqlite3.connect(made.ledger) as source, sqlite3.connect(older) as target:
            source.backup(target)
        source.close()
        target.close()
        with gated(file, latch=latch) as gate:
            until(lambda: gate.is_open)
            enrolled(remote, tmp_path, "reader")
            time.sleep(0.5)  # the gate sees the longer ledger
    for suffix in ("-wal", "-shm"):
        Path(f"{made.ledger}{suffix}").unlink(missing_ok=True)
    shutil.copy(older, made.ledger)
    with serving(Home.open(made.path)) as remote:
        assert remote.get("/api/status")["locked"] == []  # it cannot know yet
        file.write_text(json.dumps(remote.post("/api/enrol", {"agent": "writer"}, "admin")))
        with gated(file, latch=latch) as gate:
            (why,) = until(lambda: remote.get("/api/status")["locked"])
            assert "older copy" in why
            time.sleep(0.5)
            assert not gate.is_open
            assert remote.press("fleet", "the button works")[0].state == "durable"


def test_a_gate_that_asks_before_the_ledger_is_read_locks_nothing(
    made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart on a slow disk: what the gate saw is not "an older copy"."""
    from freezetag.live.gate.latch import MemoryLatch

    latch = MemoryLatch()
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        started(remote)
        with gated(file, latch=latch) as gate:
            until(lambda: gate.is_open)
            time.sleep(0.5)  # it sees the ledger
    read = Service.open

    def slowly(service: Service) -> None:
        time.sleep(1.5)
        read(service)

    monkeypatch.setattr(Service, "open", slowly)
    with gated(file, latch=latch), serving(Home.open(made.path)) as remote:
        assert remote.get("/api/status")["locked"] == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM ledger WHERE i = (SELECT max(i) FROM ledger)", "newest checkpoint covers"),
        ("UPDATE ledger SET record = replace(record, 'writer', 'wraiter') WHERE i = 0", "root"),
        ("DELETE FROM checkpoint", "newest checkpoint covers"),
        ("DELETE FROM state WHERE i = 1", "state"),
        ("UPDATE peaks SET hashes = zeroblob(32)", "root"),
    ],
)
def test_a_changed_ledger_grants_nothing(
    made: Home, tmp_path: Path, statement: str, told: str
) -> None:
    with serving(made) as remote:
        enrolled(remote, tmp_path)
        remote.press("fleet", "x")
    with sqlite3.connect(made.ledger) as db:
        db.execute(statement)
    db.close()
    with serving(Home.open(made.path)) as remote:
        until(lambda: any(told in why for why in remote.get("/api/status")["locked"]))
        assert remote.press("fleet", "the button works")[0].state == "durable"
