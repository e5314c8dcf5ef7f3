"""What a server writes, `verify` accepts: whoever asks it for what, in whatever order.

And a press is what it says: no dry run by accident, no scope that is dropped.
"""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.live._serving import (
    ADA,
    BOB,
    PEOPLE,
    agent,
    enrolled,
    gated,
    home,
    serving,
    signed,
    started,
    until,
)
from tests.live.test_server import ask

from freezetag.live.authority.home import Home
from freezetag.live.gate.address import Denied, Unreachable
from freezetag.live.remote.operator import Remote
from freezetag.live.signed.presses import Clearance, StateError
from freezetag.live.signed.verify import Report, verify_file


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def report(made: Home) -> Report:
    people = {person.name: person.key for person in PEOPLE}
    return verify_file(made.ledger, authority="lab", public=made.public, people=people, quorum=2)


def edited(text: str, **more: Any) -> str:
    fields = json.loads(text)
    for key, value in more.items():
        fields[key] = {**fields[key], **value} if isinstance(value, dict) else value
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def test_one_person_does_not_spoil_the_record(remote: Remote, made: Home, tmp_path: Path) -> None:
    """A drill's clearance, which one may sign, with a second id that is not a press."""
    with gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        remote.post("/api/drill", {"agent": "writer"}, "drill")
        text = remote.get("/api/draft")["text"]
        for more in ({"f" * 32: {}}, {"f" * 32: {"lab": 1}}):
            with pytest.raises(Denied, match="this text was not drafted here"):
                remote.post("/api/clear", signed(edited(text, presses=more), ADA))
        assert remote.post("/api/clear", signed(text, ADA))["cleared"]
    assert report(made).ok, report(made).problems


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_the_ledger_verifies(
    remote: Remote, made: Home, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    odd = ["", "x" * 300, "a\u202eb", "\ud800", 7, None, -1, True, [], {}, "fleet", "1e400", "é"]
    names = ["writer", "reader", "nobody", *odd]
    texts = ['{"authority":"lab","head":{},"nonce":"x","presses":{}}']

    def sign_something() -> dict[str, Any]:
        text = dice.choice(texts)
        if dice.random() < 0.5:
            text = edited(text, presses={dice.choice(["f" * 32, "", "x"]): {}})
        return signed(text, *dice.sample([ADA, BOB], dice.choice([1, 2])))

    def once() -> None:
        what = dice.choice(["press", "draft", "clear", "start", "enrol", "present", "drill"])
        value, other = dice.choice(names), dice.choice(odd)
        if what == "press":
            scope = dice.choice([f"agent:{value}", f"group:{value}", f"closure:{value}", value])
            body = {"scope": scope, "reason": other, "category": dice.choice([0, 1, 2, "2", other])}
            remote.post("/press", {**body, "id": dice.choice([other, "ab" * 16])}, "press")
        elif what == "draft":
            texts.append(remote.get("/api/draft", **({"fresh": 1} if seed % 2 else {}))["text"])
        elif what == "clear":
            remote.post("/api/clear", sign_something())
        elif what == "enrol":
            body = {"agent": value, "groups": dice.choice([["g"], [], other])}
            body |= {"on_stop": dice.choice(["rest_is_safe", other]), "limits": {}}
            remote.post(
                "/api/enrol", {**body, "depends_on": dice.choice([[], ["writer"]])}, "admin"
            )
        else:
            body = {"agent": value, "who": other} if what != "present" else {}
            remote.post(f"/api/{what}", body, what, timeout=1.0)

    done = 0
    for _ in range(60):
        try:
            once()
            done += 1
        except (Denied, Unreachable, UnicodeEncodeError, ValueError):
            continue  # refused, or it cannot be sent
    assert done > 10
    assert report(made).ok, report(made).problems


@pytest.mark.parametrize("no", ["false", "0", "no", "", "off", "please"])
def test_a_dry_run_is_one_that_says_so(remote: Remote, tmp_path: Path, no: str) -> None:
    enrolled(remote, tmp_path)
    started(remote)
    token = remote.token("press")
    http = next(each for each in remote.addresses if each.startswith("http"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    fields = {"token": token, "scope": "agent:writer", "dry_run": no}
    code, _, told = ask(http, "POST", "/press", urlencode(fields).encode(), form)
    assert (code, json.loads(told)["state"]) == (200, "durable")
    assert agent(remote)["presses"]


def test_of_two_scopes_both_are_pressed(remote: Remote, tmp_path: Path) -> None:
    for name in ("writer", "reader", "other"):
        enrolled(remote, tmp_path, name)
    http = next(each for each in remote.addresses if each.startswith("http"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    fields = [
        ("token", remote.token("press")),
        ("scope", "agent:writer"),
        ("scope", "agent:reader"),
    ]
    code, _, told = ask(http, "POST", "/press", urlencode(fields).encode(), form)
    assert (code, json.loads(told)["agents"]) == (200, 2)
    body = (
        b'{"scope":"agent:other","scope":"group:g","token":"%s"}' % remote.token("press").encode()
    )
    assert ask(http, "POST", "/press", body)[0] == 200
    scopes = {press["scope"] for press in remote.get("/api/status")["presses"]}
    assert scopes == {"agent:writer", "agent:reader", "agent:other", "group:g"}


def test_elsewhere_a_field_is_given_once(remote: Remote) -> None:
    http = next(each for each in remote.addresses if each.startswith("http"))
    token = remote.token("admin")
    body = f'{{"agent":"a","agent":"b","token":"{token}"}}'.encode()
    code, _, told = ask(http, "POST", "/api/enrol", body)
    assert (code, "a field is given twice: agent" in told.decode()) == (400, True)
    assert remote.get("/api/status")["agents"] == []


def test_nothing_that_a_stranger_brings_is_kept() -> None:
    """Many small names in a clearance that nobody drafted, again and again, and no memory of it."""

    def bring(number: int) -> None:
        names = {f"{number:05}{each:05}": {} for each in range(800)}
        Clearance.from_json({"text": json.dumps({"presses": names}), "signatures": {}})
        with pytest.raises(StateError):
            Clearance.from_json({"text": json.dumps({"presses": [number]}), "signatures": {}})

    bring(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 40):
            bring(number)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 100_000, f"{kept} bytes"
