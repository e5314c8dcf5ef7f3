"""Tokens as files: one a right, each enough for what its right is for, and none ever printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import agent, enrolled, gated, serving, started, until
from tests.live.conftest import Run

from freezetag.live.authority.home import Home
from freezetag.live.gate.address import request
from freezetag.live.remote.operator import Remote

COMMANDS = ["status", "start p2", "press p2", "drill", "reset --key ada.key"]


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def with_tokens(*rights: str) -> list[str]:
    return [word for right in rights for word in ("--token", f"t/{right}")]


def test_a_right_alone_is_enough_for_what_it_is_for(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    for name in ("p1", "p2"):
        enrolled(remote, tmp_path, name, groups=["team"])
    (tmp_path / "oversight" / "tokens").rename(tmp_path / "t")
    afar = ("--server", remote.addresses[-1])
    assert run("start", "p1", "agent:p2", *afar, *with_tokens("start"))[:2] == (
        0,
        "p1: started\np2: started\n",
    )
    code, _, err = run("start", "p3", *afar, *with_tokens("start"))
    assert (code, "'p3'" in err) == (2, True)
    code, out, _ = run("press", "group:team", "--dry-run", *afar, *with_tokens("press"))
    assert (code, out) == (0, "group:team would stop 2: p1, p2\n")
    code, out, _ = run("press", "p1", "--dry-run", "--json", *afar, *with_tokens("status"))
    assert code == 0
    assert json.loads(out) == {"scope": "agent:p1", "understood": True, "agents": ["p1"]}
    code, _, err = run("press", "p9", "--dry-run", *afar, *with_tokens("press"))
    assert (code, "Near: p1, p2" in err or "Near: p2, p1" in err) == (2, True)
    assert run("press", "p1", *afar, *with_tokens("press"))[0] == 0
    reset = ("reset", "agent:p1", "--key", "ada.key", "--yes")
    code, _, err = run(*reset, *afar, *with_tokens("press"))
    assert (code, "'status'" in err, "again for each right" in err) == (2, True, True)
    assert run(*reset, *afar, *with_tokens("press", "status"))[0] == 0


def test_what_needs_the_states_is_refused_before_anybody_is_started(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    enrolled(remote, tmp_path, "p1", groups=["team"])
    (tmp_path / "oversight" / "tokens").rename(tmp_path / "t")
    afar = ("--server", remote.addresses[-1])
    for words in (("fleet",), ("p1", "group:team"), ("p1", "--staged", "0.1")):
        code, out, err = run("start", *words, *afar, *with_tokens("start"))
        assert (code, out, "'status'" in err) == (2, "", True)
    assert run("start", "fleet", *afar, *with_tokens("status", "start"))[0] == 0


def test_the_tokens_of_the_environment_are_one_a_right_as_well(
    run: Run, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(remote, tmp_path, "p1")
    (tmp_path / "oversight" / "tokens").rename(tmp_path / "t")
    texts = [(tmp_path / "t" / right).read_text() for right in ("status", "start")]
    monkeypatch.setenv("FREEZETAG_TOKEN", " ".join(texts))
    monkeypatch.setenv("FREEZETAG_SERVER", remote.addresses[-1])
    assert run("start", "fleet")[0] == 0
    monkeypatch.setenv("FREEZETAG_TOKEN", "secret-words")
    code, _, err = run("status")
    assert code == 2
    assert "word 1 of FREEZETAG_TOKEN is not a token" in err
    assert "secret-words" not in err


@pytest.mark.parametrize(
    "text",
    [
        b"ftz_start_secret\nftz_status_secret",
        b"ftz_start_secret ftz_status_secret\n",
        b"ftz_rule_secret",
        b"Bearer ftz_start_secret",
        b"",
        b"\xff\xfesecret",
        b"ftz_start_secr\xc3\xa9t",
    ],
)
@pytest.mark.parametrize(
    "command", ["status", "start p2", "press p2", "drill", "reset --key ada.key"]
)
def test_a_file_that_is_not_one_token_is_named_and_never_shown(
    run: Run, made: Home, tmp_path: Path, text: bytes, command: str
) -> None:
    (made.path / "listening.json").write_text('{"main": ["unix:/no.sock"], "press": []}')
    (tmp_path / "mine").write_bytes(text)
    code, out, err = run(*command.split(), "--token", "mine")
    assert (code, "mine is not a token" in err, "secret" in out + err) == (2, True, False)
    # Neither is the folder's own, where that is not a token.
    for file in (made.path / "tokens").iterdir():
        file.write_bytes(text)
    code, out, err = run(*command.split())
    assert code in (2, 3)
    assert ("is not a token" in out + err, "secret" in out + err) == (True, False)


def test_two_tokens_with_one_right_are_one_too_many(run: Run, made: Home, tmp_path: Path) -> None:
    (made.path / "listening.json").write_text('{"main": ["unix:/no.sock"], "press": []}')
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"ftz_press_{name}")
    code, _, err = run("press", "--token", "a", "--token", "b")
    assert (code, "two tokens with the right press are given: a and b" in err) == (2, True)


def test_a_drill_that_could_not_be_cleared_as_asked_stops_nobody(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    file = enrolled(remote, tmp_path)
    with gated(file) as gate:
        started(remote)
        until(lambda: gate.is_open)
        until(lambda: agent(remote)["shown"] == "running")
        drill, status = (f"oversight/tokens/{right}" for right in ("drill", "status"))
        code, _, err = run("drill", "writer", "--key", "ada.key", "--token", drill)
        assert (code, "'status'" in err) == (2, True)
        code, _, err = run("drill", "writer", "--key", "eve.key")
        assert (code, "nobody in the roster" in err, "ada, bob" in err) == (2, True, True)
        assert gate.is_open
        assert remote.get("/api/status")["presses"] == []
        both = ("--token", drill, "--token", status)
        code, out, _ = run("drill", "writer", "--key", "ada.key", *both)
        assert (code, "cleared" in out) == (0, True)


def test_the_ledger_says_whose_token_asked(run: Run, remote: Remote, tmp_path: Path) -> None:
    enrolled(remote, tmp_path, "p1")
    code, _, err = run("start", "p1", "--who", "Her Majesty")
    assert (code, err) == (0, "")
    asked = {"right": "press", "scope": "fleet", "holder": "wall"}
    remote.post("/api/token", asked, "admin")
    token = (tmp_path / "oversight" / "tokens" / "status").read_text().strip()
    text = request(remote.addresses[0], "GET", "/api/ledger", token=token)
    records = [json.loads(line) for line in text.splitlines() if not line.startswith("#")]
    by = {each["kind"]: each["body"]["by"] for each in records if "by" in each["body"]}
    book = Home.open(tmp_path / "oversight").tokens.all()
    holders = {each.right: each.holder for each in book}
    assert by == {"enrol": holders["admin"], "start": holders["start"], "token": holders["admin"]}
    (start,) = [each["body"] for each in records if each["kind"] == "start"]
    assert start["who"] == "Her Majesty"  # as told, beside it
