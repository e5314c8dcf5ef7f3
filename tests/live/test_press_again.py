"""A press under an id that was seen before: it repeats what stands, and else is a press anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import ADA, BOB, enrolled, gated, home, serving, signed, started, until

from freezetag.live.authority.home import OWN, Home
from freezetag.live.gate.address import Denied, request
from freezetag.live.remote.operator import Remote

ID = "ab" * 16


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def press(remote: Remote, scope: str = "fleet", **more: Any) -> dict[str, Any]:
    body = {"scope": scope, "id": ID, "token": remote.token("press"), **more}
    answer: dict[str, Any] = request(remote.addresses[0], "POST", "/press", body, timeout=3)
    return answer


def scopes(remote: Remote) -> list[tuple[str, int]]:
    """Scope and category of each press that stands."""
    return [(each["scope"], each["category"]) for each in remote.get("/api/status")["presses"]]


def test_a_press_after_a_reset_stops_under_whatever_id(remote: Remote, tmp_path: Path) -> None:
    with gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        assert press(remote)["id"] == ID
        until(lambda: not gate.is_open)
        text = remote.get("/api/draft")["text"]
        assert remote.post("/api/clear", signed(text, ADA, BOB))["cleared"]
        until(lambda: not _denied(remote))
        until(lambda: gate.is_open)
        again = press(remote)
        assert again["state"] == "durable"
        assert again["id"] != ID  # what was cleared stays cleared; this is another press
        until(lambda: not gate.is_open)
        assert scopes(remote) == [("fleet", 0)]


def _denied(remote: Remote) -> bool:
    try:
        started(remote)
    except Denied:
        return True
    return False


def test_an_id_of_another_scope_is_no_repeat(remote: Remote) -> None:
    assert press(remote, "agent:other")["id"] == ID
    assert press(remote, "fleet")["id"] != ID
    assert sorted(scopes(remote)) == [("agent:other", 0), ("fleet", 0)]


def test_a_harder_press_is_no_repeat(remote: Remote) -> None:
    press(remote, category=2)
    press(remote, category=0)
    press(remote, category=1)
    assert ("fleet", 0) in scopes(remote)


def test_an_id_of_somebody_else_is_no_repeat(made: Home) -> None:
    from freezetag.live.authority.tokens import issue

    text, token = issue("press", "fleet", "somebody else")
    made.tokens.add(token)
    with serving(made) as remote:
        press(remote)
        press(remote, token=text)
        picture = remote.get("/api/status")
        assert {each["who"] for each in picture["presses"]} == {OWN, "somebody else"}


def test_the_same_press_by_another_way_is_the_same(made: Home) -> None:
    """One presser tells every address; the record is one, also over a restart."""
    with serving(made) as remote:
        first = press(remote)
        assert press(remote) == first
    with serving(Home.open(made.path)) as remote:
        assert press(remote) == first
        (found,) = remote.get("/api/status")["presses"]
        assert (found["id"], found["repeats"]) == (ID, 0)
        assert press(remote, "group:g")["id"] != ID
        assert ("group:g", 0) in scopes(remote)


def test_a_repeat_that_was_cleared_is_no_repeat(remote: Remote) -> None:
    """The second id was counted on the first press, and goes when that does."""
    press(remote)
    press(remote, id="cd" * 16)
    text = remote.get("/api/draft")["text"]
    assert remote.post("/api/clear", signed(text, ADA, BOB))["cleared"]
    assert scopes(remote) == []
    press(remote, id="cd" * 16)
    assert scopes(remote) == [("fleet", 0)]
