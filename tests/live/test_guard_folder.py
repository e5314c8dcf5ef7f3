"""A guard's folder: one for each agent if nobody says, and its own alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import BOB, home, serving
from tests.live.conftest import Run
from tests.live.guards import Guarded, wait_for

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


def test_of_many_that_start_at_once_one_runs_and_the_others_say_what_to_add(
    tmp_path: Path,
) -> None:
    """An MCP client starts its servers so. They were told that a guard's new folder holds something
    else, and to take away what is there."""
    guards = [Guarded(tmp_path, command=("sleep", "60")) for _ in range(5)]
    wait_for(lambda: sum(guard.process.poll() is None for guard in guards) == 1, limit=60)
    (running,) = [guard for guard in guards if guard.process.poll() is None]
    (tmp_path / "state-2").mkdir()
    guards = [guard for guard in guards if guard is not running]
    for guard in guards:
        code, said = guard.ended()
        assert code == 2, said
        assert f"a guard runs on {running.state}, pid {running.process.pid}" in said
        assert f"--state {running.state}-2" in said
    assert running.process.poll() is None
    said = Guarded(tmp_path, command=("sleep", "60")).ended()[1]
    (option,) = re.findall(r"--state (\S+)[.]", said)
    assert option == f"{running.state}-3", "the second is somebody's already"
    beside = Guarded(tmp_path, "--state", option, default=True, command=("sh", "-c", "exit 7"))
    assert beside.ended()[0] == 7


def test_a_folder_that_is_no_guards_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter").write_text("mine")
    assert cli.run(["guard", "--state", str(tmp_path), "--", "true"]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["letter"]


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


@pytest.mark.parametrize(
    ("what", "rest"),
    [
        ("latch.json", ["--reset"]),
        ("latch.json", ["--leave", "lab"]),
        ("latch.json", ["--", "true"]),
        ("journal.jsonl", ["--", "true"]),
        ("person.key", ["--reset"]),
    ],
)
def test_a_pipe_that_a_command_left_in_the_folder_is_named(
    tmp_path: Path, what: str, rest: list[str]
) -> None:
    """Whoever opened it waited for ever, and said nothing."""
    state = tmp_path / "state"
    OwnAuthority(state, "true").close()
    (state / what).unlink(missing_ok=True)
    os.mkfifo(state / what)
    argv = [sys.executable, "-m", "freezetag", "guard", "--state", str(state), *rest]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert f"{state / what} is a pipe" in done.stderr


@pytest.mark.parametrize("name", ["fl eet", "fleet", "../other", "-x"])
def test_a_name_that_enrol_refuses_is_refused_before_a_folder_is_made(
    run: Run, tmp_path: Path, name: str
) -> None:
    code, _, err = run("guard", f"--agent={name}", "--wait", "1", "--state", "new", "--", "true")
    assert (code, "--agent" in err) == (2, True), err
    assert not (tmp_path / "new").exists()
