"""A guard's folder: one for each agent if nobody says, and its own alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.live._serving import BOB, home, serving

from freezetag import cli
from freezetag.live.authority.home import Home
from freezetag.live.guard.guard import default_folder
from freezetag.live.guard.own_authority import OwnAuthority
from freezetag.live.signed.keys import Person, Roster
from freezetag.live.signed.presses import Press


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("npx -y @modelcontextprotocol/server-memory@2 --x", "server-memory"),
        ("/usr/bin/npx --yes server-everything stdio", "server-everything"),
        ("uvx mcp-server-time==2025.1 --tz x", "mcp-server-time"),
        ("pipx run cowsay", "cowsay"),
        ("python3 -m bots.writer --fast", "bots.writer"),
        ("npx", "npx"),
        ("sh -c sleep", "sh"),
        ("npx .", "npx"),
    ],
)
def test_each_server_that_a_launcher_runs_has_a_folder_of_its_own(
    tmp_path: Path, command: str, name: str
) -> None:
    words = command.split()
    assert default_folder(tmp_path, "", words) == tmp_path / name
    assert default_folder(tmp_path, "given", words) == tmp_path / "given"
    older = tmp_path / Path(words[0]).name
    older.mkdir()
    (older / "latch.json").write_text("{}")
    assert default_folder(tmp_path, "", words) == older, "a stop may stand there"


def test_a_servers_folder_is_no_guards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = home(tmp_path / "oversight")
    with serving(made) as remote:
        remote.press("fleet", "enough")
    for rest in (["--reset"], ["--", "true"]):
        assert cli.run(["guard", "--state", str(made.path), *rest]) == 2
        said = capsys.readouterr().err
        assert "a server's folder" in said
        assert "Traceback" not in said
    with serving(Home.open(made.path)) as remote:
        assert len(remote.get("/api/status")["presses"]) == 1


def test_what_the_folders_key_does_not_clear_is_not_called_cleared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server took the folder over, and took another person in: from then on two reset."""
    own = OwnAuthority(tmp_path / "state", "writer")
    own._store_all(own._authority.press(Press("ab" * 16, "fleet", "ada", 1, "enough")))
    mine = own.home.roster.people
    own.close()
    two = Roster("own", (*mine, Person("bob", BOB[1])))
    (tmp_path / "state" / "roster.json").write_text(json.dumps(two.to_json()))
    assert cli.run(["guard", "--state", str(tmp_path / "state"), "--reset"]) == 2
    assert "nothing is cleared: that takes 2" in capsys.readouterr().err
    again = OwnAuthority(tmp_path / "state", "writer")
    assert again.presses
    again.close()
