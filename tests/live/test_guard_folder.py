"""A guard's folder: one for each agent if nobody says, and its own alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import BOB, home, serving
from tests.live.guards import Guarded

from freezetag import cli
from freezetag.live.authority.home import Home
from freezetag.live.guard.own_authority import OwnAuthority
from freezetag.live.signed.keys import Person, Roster
from freezetag.live.signed.presses import Press


@pytest.fixture(autouse=True)
def no_guard_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


def test_a_stop_under_the_default_folder_outlives_guards_of_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever folders these make, what was stopped is found where it was stopped."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for script in ("agent.sh", "other.sh"):
        (tmp_path / script).write_text("exit 7")

    def guarded(*command: str) -> tuple[int, str]:
        return Guarded(tmp_path, command=command, default=True).ended()

    (tmp_path / "STOP").touch()
    assert guarded("sh", "agent.sh")[0] == 124
    (tmp_path / "STOP").unlink()
    assert guarded("sh", "-c", "exit 5")[0] == 5
    assert guarded("sh", "other.sh")[0] == 7
    code, said = guarded("sh", "agent.sh")
    assert (code, "STOPPED before, and not reset" in said) == (124, True), said


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
