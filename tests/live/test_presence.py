"""Who counts as a person being here: a token for that alone, or a signature of the roster."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

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
from tests.live._serving import agent as shown_of
from tests.live.test_handover import by

from freezetag import cli
from freezetag.live.authority.home import Home
from freezetag.live.gate.address import Denied
from freezetag.live.gate.gate import Gate
from freezetag.live.remote.operator import Remote, local
from freezetag.live.server.server import Server

HELD = 1.2
"""Seconds in which a gate of leases of .9 s asks several times."""


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


@contextlib.contextmanager
def absent(made: Home, folder: Path) -> Iterator[tuple[Remote, Gate]]:
    """A started agent that needs a person, and nobody is here."""
    with serving(made) as remote:
        file = enrolled(remote, folder, limits={"presence": 3600})
        started(remote)
        with gated(file) as gate:
            until(lambda: shown_of(remote)["incarnations"])
            yield remote, gate


def form(remote: Remote, text: str) -> int:
    """The status of the console's reset form, handed in without any token."""
    address = next(each for each in remote.addresses if each.startswith("http"))
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/reset", urlencode({"signature-1": text}), kind)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_person_is_here_by_a_token_for_that_alone(made: Home, tmp_path: Path) -> None:
    with absent(made, tmp_path) as (remote, gate):
        for right in ("status", "press", "start", "admin", "drill"):
            with pytest.raises(Denied, match="'present'"):
                remote.post("/api/present", {}, right)
        time.sleep(HELD)
        assert not gate.is_open
        with pytest.raises(Denied):
            Remote(remote.addresses, lambda right: remote.token("present")).get("/api/status")
        remote.post("/api/present", {}, "present")
        until(lambda: gate.is_open)


def test_what_nobody_of_the_roster_signed_is_nobody(made: Home, tmp_path: Path) -> None:
    with absent(made, tmp_path) as (remote, gate):
        remote.press("agent:other", "something to clear")
        text = remote.get("/api/draft")["text"]
        unsigned: list[Any] = [
            {},
            {"text": "x", "signatures": {}},
            {"text": text, "signatures": {}},
            signed(text, EVE),
            signed(text.replace("presses", "press"), ADA),
            signed(text.replace('"nonce":"', '"nonce":"0'), ADA),
        ]
        for body in unsigned:
            with contextlib.suppress(Denied):
                remote.post("/api/clear", body)
            form(remote, json.dumps(body))
        time.sleep(HELD)
        assert not gate.is_open


@pytest.mark.parametrize("by_form", [False, True])
def test_who_signs_is_here(made: Home, tmp_path: Path, by_form: bool) -> None:
    with absent(made, tmp_path) as (remote, gate):
        remote.press("agent:other", "something to clear")
        first = signed(remote.get("/api/draft")["text"], ADA)
        if by_form:
            assert form(remote, json.dumps(first)) == 200
        else:
            remote.post("/api/clear", first)
        until(lambda: gate.is_open)


def test_the_same_signature_again_is_nobody(made: Home, tmp_path: Path) -> None:
    """Whoever got hold of it may hand it in; that is nobody's being here."""
    with serving(made) as remote:
        file = enrolled(remote, tmp_path, limits={"presence": 1.5})
        started(remote)
        with gated(file) as gate:
            remote.press("agent:other", "something to clear")
            first = signed(remote.get("/api/draft")["text"], ADA)
            remote.post("/api/clear", first)
            until(lambda: gate.is_open)
            end = time.monotonic() + 3.5
            while time.monotonic() < end:
                remote.post("/api/clear", first)
                time.sleep(0.1)
            assert not gate.is_open
            assert [p["who"] for p in remote.get("/api/status")["presses"]][-1] == (
                "interlock:presence"
            )


def test_a_half_signed_statement_handed_in_again_is_nobody(made: Home, tmp_path: Path) -> None:
    with Server(made) as server:
        remote = local(made.path)
        admin = {"right": "press", "holder": "wall"}
        remote.post("/api/token", admin, "admin")
        wall = next(t for t in made.tokens.all() if t.holder == "wall").digest
        asked = {"kind": "revocation", "digest": wall}
        text = remote.post("/api/draft", asked, "status")["text"]
        first = by(text, ADA, prefix=b"freezetag revocation\n")
        assert remote.post("/api/statement", first)["signed"] == ["ada"]
        assert server.service.present_at is not None
        server.service.present_at = None
        assert remote.post("/api/statement", first)["signed"] == ["ada"]
        assert server.service.present_at is None
        second = by(text, BOB, prefix=b"freezetag revocation\n")
        assert remote.post("/api/statement", second)["done"] is True
        assert server.service.present_at is not None


def test_a_folder_from_before_gets_its_token_and_nothing_else(made: Home, tmp_path: Path) -> None:
    tokens = made.path / "tokens.json"
    old = [each for each in json.loads(tokens.read_text()) if each["right"] != "present"]
    tokens.write_text(json.dumps(old))
    (made.path / "tokens" / "present").unlink()
    with absent(Home.open(made.path), tmp_path) as (_, gate):
        assert json.loads(tokens.read_text())[: len(old)] == old
        assert (made.path / "tokens" / "present").stat().st_mode & 0o077 == 0
        assert not gate.is_open
        assert cli.run(["status", "--present", "--home", str(made.path)]) == 0
        until(lambda: gate.is_open)
    kept = tokens.read_text()
    (made.path / "tokens" / "present").unlink()  # handed out
    with serving(Home.open(made.path)):
        assert tokens.read_text() == kept


def test_who_may_only_say_that_he_is_here_is_told_that_it_was_said(
    made: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with absent(made, tmp_path) as (_, gate):
        own = ["--token", str(made.path / "tokens" / "present")]
        assert cli.run(["status", "--present", "--home", str(made.path), *own]) == 0
        assert "a person is here" in capsys.readouterr().out
        until(lambda: gate.is_open)
        assert cli.run(["status", "--home", str(made.path), *own]) != 0
