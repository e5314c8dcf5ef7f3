"""The commands against a real server: what they print, what they refuse, how they end."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import enrolled, gated, serving, until
from tests.live.conftest import Run

from freezetag import cli
from freezetag.cli.commands.reset import _named
from freezetag.core import UserError
from freezetag.core.journal import Journal
from freezetag.live.authority.home import Home
from freezetag.live.gate.address import Denied
from freezetag.live.remote.operator import Remote, local
from freezetag.live.server.server import Server


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def test_the_whole_way_round(run: Run, remote: Remote, tmp_path: Path) -> None:
    code, out, _ = run("enrol", "writer", "--group", "g", "--limit", "runtime=3600")
    assert code == 0
    file = tmp_path / "writer.enrolment"
    assert file.stat().st_mode & 0o077 == 0
    assert run("enrol", "writer")[0] == 2  # nothing is overwritten
    with gated(file) as gate:
        assert run("start", "group:g", "--who", "ada", "--staged", "0.6")[0] == 0
        until(lambda: gate.is_open)
        code, out, _ = run("status")
        assert code == 0
        assert "RUNNING" in out
        assert "writer" in out
        code, out, _ = run("press", "--dry-run")
        assert (code, out) == (0, "fleet would stop 1: writer\n")
        assert gate.is_open
        code, out, _ = run("press", "writer", "--reason", "odd\x1b[2J", "--json")
        assert code == 0
        assert {each["state"] for each in json.loads(out)} == {"durable"}
        assert not gate.is_open
        code, out, _ = run("status")
        assert "pressed: agent:writer" in out
        assert "\x1b" not in out

        code, _, err = run("start", "writer")
        assert code == 2
        assert "reset comes before start" in err
        code, _, err = run("reset", "--key", "ada.key")
        assert code == 2
        assert "--yes" in err
        code, _, err = run("reset", "--key", "eve.key", "--yes")
        assert code == 2
        assert "nobody in the roster" in err
        assert "eve.key" in err
        assert "Who may: ada, bob." in err
        code, out, err = run("reset", "--key", "ada.key", "--yes")
        assert (code, out.startswith("1 of 2 signed (ada)")) == (0, True)
        assert "clears" in err
        code, out, _ = run("reset", "--key", "ada.key", "--yes")
        assert (code, out.startswith("ada had signed this already: 1 of 2.")) == (0, True)
        code, out, _ = run("reset", "--key", "bob.key", "--yes")
        assert (code, "cleared, signed by ada and bob" in out) == (0, True)
        until(lambda: cli.run(["start", "writer"]) == 0)
        until(lambda: gate.is_open)
        code, _, err = run("drill", "writer", "--key", "nokey")
        assert (code, "cannot read nokey" in err, gate.is_open) == (2, True, True)
        code, out, _ = run("drill", "writer", "--key", "bob.key", "--json")
        told = json.loads(out.splitlines()[-1])
        assert code == 0
        assert told["milliseconds"] > 0
        assert told["cleared"]
    code, out, _ = run("verify", "oversight", "--json")
    assert code == 0
    assert json.loads(out)["ok"]


@pytest.mark.parametrize(
    "name", ["fleet", "group:team", "bad name/..", "../up", "-x", ".", "\u00e4"]
)
def test_a_name_that_is_a_scope_or_a_path_is_refused_everywhere(
    run: Run, remote: Remote, tmp_path: Path, name: str
) -> None:
    assert run("enrol", "--out", "f", "--", name)[0] == 2
    assert run("enrol", "--group", name, "a")[0] == 2
    for body in (
        {"agent": name},
        {"agent": "a", "groups": [name]},
        {"agent": "a", "depends_on": [name]},
    ):
        with pytest.raises(Denied, match=r"letters, digits|scope of all"):
            remote.post("/api/enrol", body, "admin")
    assert remote.get("/api/status")["agents"] == []
    assert not list(tmp_path.glob("*enrolment"))


def test_nobody_is_enrolled_whose_file_cannot_be_written(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    code, _, err = run("enrol", "writer", "--out", "no/folder/w")
    assert (code, "cannot write no/folder/w" in err) == (3, True)
    assert run("enrol", "--person", "eve", "--out", "no/folder/w")[0] == 3
    assert remote.get("/api/status")["agents"] == []
    assert run("enrol", "writer", "--depends-on", "fleet")[0] == 2  # the server refuses it
    assert not (tmp_path / "writer.enrolment").exists()
    code, out, _ = run("enrol", "writer", "--limit", "tokens=10", "--limit", "runtime=60")
    assert (code, "tokens is a budget that its gate counts" in out) == (0, True)
    assert "runtime is" not in out


def test_a_press_that_stops_nobody_or_is_not_heard_is_loud(run: Run, remote: Remote) -> None:
    code, out, _ = run("press", "fleet")
    assert (code, "NOT SURE: the press of fleet is durable and stands" in out) == (3, True)
    code, out, _ = run("press", "--server", "http://127.0.0.1:9", "--home", "nowhere")
    assert code == 2
    code, out, _ = run("press", "--server", "http://127.0.0.1:9")
    assert code == 3
    assert "NOT PRESSED" in out


def test_a_press_of_a_name_that_nobody_has_is_refused_with_those_near(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    for name in ("wrtier", "closure:x"):
        code, _, err = run("press", name)
        assert (code, "nobody is covered" in err, "Nobody is." in err) == (2, True, True)
    for name in ("writer", "reader"):
        enrolled(remote, tmp_path, name)
    code, _, err = run("press", "wrtier")
    assert code == 2
    assert "Near: writer" in err
    assert err.count("wrtier") == 1
    code, _, err = run("press", "wrtier", "--dry-run")
    assert (code, "Near: writer" in err) == (2, True)
    assert "There is: writer, reader." in run("press", "agent:x")[2]
    assert remote.get("/api/status")["presses"] == []
    # Half of the addresses are not there: nothing is pressed, and that is said as well.
    addresses = ("--server", remote.addresses[-1], "--server", "http://127.0.0.1:9")
    file = str(tmp_path / "oversight" / "tokens" / "press")
    code, _, err = run("press", "wrtier", *addresses, "--token", file)
    assert (code, "No word from http://127.0.0.1:9." in err) == (2, True)
    # A kind of scope that nobody knows covers everyone.
    assert remote.press("gruop:x", "odd", known=True)[0].agents == 2
    assert remote.press("agent:x", "by hand")[0].state == "durable"


def test_a_token_that_is_unknown_or_not_given_is_told_apart(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    address = remote.addresses[-1]
    code, _, err = run("status", "--server", address)
    assert (code, "--token FILE" in err) == (2, True)
    (tmp_path / "t").write_text("ftz_press_x")
    code, out, _ = run("press", "--token", "t")
    lines = out.splitlines()
    assert (code, lines[-1].startswith("NOT PRESSED")) == (3, True)
    for line in lines[:-1]:
        assert line.count("the token is not known here; this takes") == 1
        assert line.count("unix:") + line.count("http:") == 1


def test_a_stop_file_is_told_at_reset_and_start(run: Run, remote: Remote, tmp_path: Path) -> None:
    enrolled(remote, tmp_path)
    (tmp_path / "oversight" / "STOP").touch()
    until(lambda: remote.get("/api/status")["presses"])
    assert "STOP still lies in" in run("start", "writer")[2]
    assert "it will press again. Remove it first." in run("reset", "--key", "ada.key", "--yes")[2]
    (tmp_path / "oversight" / "STOP").unlink()
    assert "STOP" not in run("start", "writer")[2]


def test_a_press_is_told_without_what_is_not_known_of_it(run: Run, remote: Remote) -> None:
    remote.press("fleet", "")
    assert "pressed: fleet by the folder's own token\n" in run("status")[1]
    code, _, err = run("reset", "--key", "nokey")
    assert (code, "clears" in err, "Errno" in err) == (2, False, False)
    assert "cannot read nokey" in err


def test_a_press_by_a_name_is_taken_while_it_is_not_known_who_there_is(
    run: Run, made: Home
) -> None:
    with Server(made) as server:
        server.service.doubt("test", "it is not known which agents there are")
        assert local(made.path).press("agent:x", "", known=True)[0].state == "durable"


@pytest.mark.parametrize("part", ["groups", "writer"])
def test_a_ledger_that_was_changed_is_served_locked_and_told_as_changed(
    run: Run, made: Home, tmp_path: Path, part: str
) -> None:
    with serving(made) as remote:
        enrolled(remote, tmp_path)
        enrolled(remote, tmp_path, "reader")
    with contextlib.closing(sqlite3.connect(made.ledger)) as db, db:
        db.execute("UPDATE ledger SET record = replace(record, ?, 'xxxxxx')", (part,))
    with serving(made):
        code, _, err = run("start", "reader")
        assert (code, "changed" in err) == (2, True)
        assert "changed" in run("status")[1]


def test_a_start_ends_at_the_first_that_does_not_run(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    enrolled(remote, tmp_path)
    enrolled(remote, tmp_path, "reader")
    code, out, err = run("start", "fleet", "--staged", "0.1")
    assert code == 3
    assert "does not run" in err
    assert out == "writer: started\n"
    assert run("start", "nobody")[0] == 2
    assert run("start", "group:none")[0] == 2


def test_nobody_signs_more_than_was_asked_for_or_shown(run: Run, remote: Remote) -> None:
    """The second person asks for b alone, and the text that waits clears a too."""
    for name in "ab":
        remote.post("/api/enrol", {"agent": name}, "admin")
        remote.press(f"agent:{name}", f"because of {name}")
    assert run("reset", "--key", "ada.key", "--yes")[0] == 0
    code, _, err = run("reset", "b", "--key", "bob.key", "--yes")
    assert (code, "also clears agent:a, and you asked for agent:b" in err) == (2, True), err
    assert len(remote.get("/api/status")["presses"]) == 2
    code, _, err = run("reset", "b", "--key", "bob.key", "--fresh", "--yes")
    assert code == 0, err
    assert "people who may sign: ada, bob" in err
    assert "because of b" in err
    shown = {"presses": [{"id": "1", "scope": "agent:b"}]}
    with pytest.raises(UserError, match="also clears 2, which nobody shows"):
        _named('{"presses":{"1":{},"2":{}}}', shown, "")
    with pytest.raises(UserError, match="not a clearance"):
        _named("{}", shown, "")
    lie = '{"presses":{"1":{}},"scopes":{"1":["fleet"]}}'
    with pytest.raises(UserError, match="says that 1 stops fleet, and the server shows agent:b"):
        _named(lie, shown, "")


def test_a_draft_is_signed_without_a_server(run: Run, made: Home, tmp_path: Path) -> None:
    text = '{"authority":"lab","head":{},"nonce":"n","presses":{}}'
    (tmp_path / "draft.json").write_text(json.dumps({"text": text, "signatures": {}}))
    code, out, _ = run("reset", "--draft", "draft.json", "--key", "ada.key")
    assert code == 0
    (tmp_path / "draft.json").write_text(out)
    code, out, _ = run("reset", "--draft", "draft.json", "--key", "bob.key")
    assert len(json.loads(out)["signatures"]) == 2


def test_verify_finds_what_was_changed(run: Run, made: Home) -> None:
    with serving(made) as remote:
        remote.press("fleet", "x")
        remote.press("group:a", "y")
    assert run("verify", "oversight")[0] == 0
    code, _, err = run("verify", "oversight", "--public", "no.json")
    assert code == 2
    assert "there is no no.json" in err
    code, _, err = run("verify", "oversight", "--checkpoint", "no.note")
    assert code == 2
    assert "cannot read the checkpoint no.note: No such file" in err
    with sqlite3.connect(made.ledger) as db:
        db.execute("UPDATE ledger SET record = replace(record, 'fleet', 'flute') WHERE i = 0")
    db.close()
    code, out, _ = run("verify", "oversight")
    assert code == 1
    assert "NOT verified" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serve", "x", "--solo"], "say who, with --person ada.pub"),
        (["serve", "x", "--person", "ada.key"], "private key"),
        (["serve", "x", "--person", "none.pub"], "none.pub"),
        (["serve", "x"], "a reset needs two"),
        (["serve", "x", "--name", "my lab"], "my lab"),
        (["serve", "x", "--length", "0"], "length"),
        (["serve", "x", "--port", "70000"], "70000"),
        (["serve", "oversight", "--solo"], "has its people already"),
        (["status"], "does not answer"),
        (["status", "--home", "none"], "no server has run"),
        (["press", "--home", "none"], "no server has run"),
        (["press", "--server", "lab"], "NOT PRESSED"),
        (["start"], "whom to start"),
        (["start", "x", "--staged", "nan"], "nan"),
        (["reset"], "--key"),
        (["reset", "--key", "ada.key", "--draft", "ada.key"], "not a clearance"),
        (["drill", "x", "--home", "none"], "no server has run"),
        (["enrol"], "one agent"),
        (["enrol", "a", "--person", "b"], "one agent"),
        (["enrol", "a", "--limit", "tokens"], "tokens"),
        (["enrol", "a", "--limit", "tokens=-1"], "above 0, such as tokens=1e6, got 'tokens=-1'"),
        (["enrol", "a", "--limit", "=3"], "got '=3'"),
        (["enrol", "a", "--limit", "x=3", "--limit", "x=4"], "names x twice"),
        (["verify", "none.db"], "none.db"),
        (["verify", "ada.key"], "ada.key is not a ledger"),
        (["verify", "--journal", "no.jsonl"], "there is no journal at no.jsonl"),
        (["verify", "--journal", "oversight"], "there is no journal at oversight/journal.jsonl"),
        (["status", "--token", "none.txt"], "none.txt"),
    ],
)
def test_a_wrong_request(run: Run, made: Home, arguments: list[str], told: str) -> None:
    (made.path / "listening.json").write_text('{"main": ["unix:/no.sock"], "press": []}')
    code, out, err = run(*arguments)
    assert code == (3 if told in ("does not answer", "NOT PRESSED") else 2)
    assert told in out + err


def test_verify_knows_a_journal_and_what_is_none(run: Run, tmp_path: Path) -> None:
    lines: list[bytes] = []
    Journal(lines.append).append("open", gate="a")
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines))
    code, out, _ = run("verify", "--journal", ".")
    assert code == 0, out
    code, _, err = run("verify", "journal.jsonl")
    assert code == 2
    assert "journal.jsonl is the journal of a gate: freezetag verify --journal" in err
    (tmp_path / "README.md").write_text("# Words\n")
    code, _, err = run("verify", "--journal", "README.md")
    assert code == 2
    assert "README.md is not a journal of a gate" in err


def test_the_libraries_of_the_extra_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from freezetag.cli import reach

    monkeypatch.setattr(reach.importlib.util, "find_spec", lambda name: None)
    code, _, err = run("serve", "x")
    assert code == 2
    assert "freezetag[live]" in err


def test_json_is_json(run: Run, remote: Remote) -> None:
    assert json.loads(run("status", "--json")[1])["authority"] == "lab"
    answers: Any = json.loads(run("press", "--json")[1])
    assert answers[0]["state"] == "durable"
    told = json.loads(run("press", "--dry-run", "--json")[1])
    assert told == {"scope": "fleet", "understood": True, "agents": []}


def test_a_press_asks_no_proxy_of_the_environment(
    run: Run, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for each in (name, name.upper()):
            monkeypatch.setenv(each, "http://127.0.0.1:9")
    assert run("status")[0] == 0
    assert json.loads(run("press", "--json")[1])[0]["state"] == "durable"
