"""Bad input has a defined answer: where each kind is tested, and what no other file has."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.live._serving import (
    ADA,
    BOB,
    EVE,
    enrolled,
    gated,
    home,
    serving,
    signed,
    started,
    until,
)
from tests.live.test_requirements import names

from freezetag.live.authority.home import Home
from freezetag.live.authority.tokens import issue
from freezetag.live.gate.address import Denied, request
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.remote.operator import Remote
from freezetag.live.signed.frames import LARGEST, incarnation_key, seal
from freezetag.live.signed.keys import key_id

ANSWERED_IN = {
    "a token that is revoked or of another authority": [
        "test_a_revoked_token_and_one_of_another_authority_are_foreign",
        "test_tokens_have_one_right_and_one_reach",
        "test_a_foreign_token_is_no_token",
    ],
    "a replayed lease": [
        "test_late_and_repeated_grants_revive_nothing",
        "test_a_renewal_sent_again_by_another_is_granted_nothing",
    ],
    "a certificate signed twice by one person": [
        "test_the_same_person_twice_is_one",
        "test_one_person_clears_nothing_however_often_they_sign",
    ],
    "a certificate that has expired": ["test_resets_that_are_refused"],
    "a press by GET": ["test_a_get_never_presses"],
    "bodies that are too large, or never end": [
        "test_what_is_too_large_or_unreadable_is_refused",
        "test_a_channel_that_sends_too_much_is_closed",
        "test_a_body_cut_off_by_its_sender_is_no_crash",
    ],
    "a clock that jumps": [
        "test_a_clock_that_runs_backwards_closes",
        "test_clock_and_wall_drifting_apart_by_a_jump_closes",
    ],
    "a full disk at the press": [
        "test_a_full_disk_at_the_press_stops_first_and_says_not_durable",
        "test_a_store_that_hangs_grants_nothing_and_loses_no_press",
    ],
    "an older copy of the database": [
        "test_an_older_copy_of_the_ledger_stays_locked",
        "test_an_older_copy_that_has_grown_again_is_noticed",
    ],
    "a meter that says NaN": ["test_a_lost_meter_stops_the_agent"],
}


def test_each_bad_input_has_a_test() -> None:
    assert {test for tests in ANSWERED_IN.values() for test in tests} <= names()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home(tmp_path_factory.mktemp("bad") / "lab")


@pytest.fixture(scope="module")
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def tcp(remote: Remote) -> tuple[str, int]:
    parts = urlsplit(next(each for each in remote.addresses if each.startswith("http")))
    return str(parts.hostname), int(parts.port or 0)


def standing(remote: Remote) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = remote.get("/api/status")["presses"]
    return found


def test_a_revoked_token_and_one_of_another_authority_are_foreign(
    made: Home, remote: Remote, tmp_path: Path
) -> None:
    text, token = issue("press", "fleet", "somebody who left")
    made.tokens.add(token)
    leaver = Remote(remote.addresses, lambda right: text)
    assert leaver.press("agent:nobody", "still here")[0].state == "durable"
    made.tokens.revoke(token.digest)
    assert "takes a token" in leaver.press("fleet", "gone")[0].why
    other = home(tmp_path / "other")
    foreign = (other.path / "tokens" / "press").read_text().strip()
    stranger = Remote(remote.addresses, lambda right: foreign)
    assert "takes a token" in stranger.press("fleet", "foreign")[0].why
    assert [press["scope"] for press in standing(remote)] == ["agent:nobody"]


def test_one_person_clears_nothing_however_often_they_sign(remote: Remote) -> None:
    remote.press("agent:twice", "to be cleared by two")
    text = remote.get("/api/draft?scope=agent:twice")["text"]
    mine = signed(text, ADA)
    for _ in range(3):
        told = remote.post("/api/clear", mine, "status")
        assert (told["cleared"], told["signed"], told["needed"]) == (False, ["ada"], 2)
    (stamp,) = mine["signatures"].values()
    for signatures in ({key_id(BOB[1]): stamp}, signed(text, EVE)["signatures"]):
        with pytest.raises(Denied, match="nobody in the roster"):
            remote.post("/api/clear", {"text": text, "signatures": signatures}, "status")
    assert "agent:twice" in [press["scope"] for press in standing(remote)]
    assert remote.post("/api/clear", signed(text, BOB), "status")["cleared"]


def test_a_renewal_sent_again_by_another_is_granted_nothing(remote: Remote, tmp_path: Path) -> None:
    """Who listened on the wire repeats what a gate asked; the answer opens nothing anywhere."""
    file = enrolled(remote, tmp_path, "heard")
    started(remote, "heard")
    held, b = Enrolment.load(file), "ab" * 16
    own = {"kind": "renew", "gate": "heard", "b": b, "n": 1, "presses": [], "ack": None}
    fields = {
        "phase": "waiting",
        "in_flight": 0,
        "last": 0,
        "spent": {},
        "head": "",
        "root": "",
        "size": 0,
    }
    frame = seal(incarnation_key(held.key, b), {**own, **fields})
    where = next(each for each in remote.addresses if each.startswith("http"))
    answers = [request(where, "POST", "/api/frame", frame) for _ in range(3)]
    assert ['"kind":"grant"' in answer for answer in answers] == [True, False, False]
    with gated(file, name="heard") as gate:
        for answer in answers:
            assert not gate.receive(held.authority, answer)  # of another incarnation
        assert not gate.is_open


def test_an_older_copy_that_has_grown_again_is_noticed(tmp_path: Path) -> None:
    """By its root: it is as long again as what the gate saw, and not the same."""
    made, latch = home(tmp_path / "lab"), MemoryLatch()
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        started(remote)
        older = tmp_path / "older.db"
        with closing(sqlite3.connect(made.ledger)) as db, closing(sqlite3.connect(older)) as copy:
            db.backup(copy)
        with gated(file, latch=latch) as gate:
            until(lambda: gate.is_open)
            enrolled(remote, tmp_path, "reader")
            seen = remote.get("/api/status")["size"]
            until(lambda: gate._links["lab"].seen_size >= seen)
    for leftover in made.path.glob("ledger.db*"):
        leftover.unlink()
    shutil.copy(older, made.ledger)
    with serving(Home.open(made.path)) as remote:
        for n in range(seen):
            enrolled(remote, tmp_path, f"other{n}")
        assert remote.get("/api/status")["locked"] == []  # it cannot know yet
        file.write_text(json.dumps(remote.post("/api/enrol", {"agent": "writer"}, "admin")))
        with gated(file, latch=latch) as gate:
            (why,) = until(lambda: remote.get("/api/status")["locked"])
            assert "older copy" in why
            assert not gate.is_open
        assert remote.press("fleet", "the button works")[0].state == "durable"


def test_a_body_cut_off_by_its_sender_is_no_crash(
    remote: Remote, capfd: pytest.CaptureFixture[str]
) -> None:
    before = len(standing(remote))
    for path in (b"/press", b"/api/clear", b"/api/frame"):
        with socket.create_connection(tcp(remote), 5) as made:
            made.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    time.sleep(0.2)
    assert len(standing(remote)) == before
    assert "Traceback" not in capfd.readouterr().err


def test_a_channel_that_sends_too_much_is_closed(remote: Remote, tmp_path: Path) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    host, port = tcp(remote)
    for text in ("x" * (LARGEST + 1), "x" * 100, b"\x00" * 100):
        with connect(f"ws://{host}:{port}/gate", proxy=None, close_timeout=1) as channel:
            channel.send(text)
            with pytest.raises(ConnectionClosed):
                channel.recv(timeout=5)
    file = enrolled(remote, tmp_path, "after")
    started(remote, "after")
    with gated(file, name="after") as gate:
        until(lambda: gate.is_open)
    assert json.loads(file.read_bytes())["authority"] == "lab"
