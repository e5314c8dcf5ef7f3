"""How a guard ended, for scripts: an exit code alone does not say whose it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.guards import Guarded

from freezetag import cli
from freezetag.live.guard.status_file import StatusFile


@pytest.fixture(autouse=True)
def no_guard_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


def status(file: Path) -> tuple[str, int | None, str]:
    told = json.loads(file.read_text())
    assert list(told) == ["outcome", "code", "why"]
    return told["outcome"], told["code"], told["why"]


def test_a_stop_is_told_from_an_exit_code_of_the_commands_own(tmp_path: Path) -> None:
    """Any code may be the command's own, 124 too; a guard that was killed has left `running`."""
    file = tmp_path / "status.json"
    option = ("--status-file", str(file))
    guard = Guarded(tmp_path, *option, command=("sh", "-c", "exit 124"))
    assert guard.ended()[0] == 124
    assert status(file) == ("ended", 124, "")
    guard = Guarded(tmp_path, *option)
    guard.until_it_acts()
    assert status(file) == ("running", None, "")
    guard.stop_file.touch()
    assert guard.ended()[0] == 124
    outcome, code, why = status(file)
    assert (outcome, code) == ("stopped", 124)
    assert "no process of it is left" in why
    assert Guarded(tmp_path, *option).ended()[0] == 124
    outcome, code, why = status(file)
    assert (outcome, code) == ("held", 124)
    assert "STOP" in why
    assert Guarded(tmp_path, *option, "--runtime", "soon").ended()[0] == 2
    outcome, code, why = status(file)
    assert (outcome, code) == ("failed", 2)
    assert "not a duration" in why
    assert [path.name for path in tmp_path.glob("*status*")] == ["status.json"]


def test_a_guard_leaves_the_file_of_another_that_runs_as_it_is(tmp_path: Path) -> None:
    """It said `failed` while the first one ran: the second was refused, the folder being taken."""
    file = tmp_path / "status.json"
    option = ("--status-file", str(file))
    guard = Guarded(tmp_path, *option)
    guard.until_it_acts()
    (another := tmp_path / "another").mkdir()
    for folder, more in ((tmp_path, ()), (tmp_path, ("--runtime", "soon")), (another, ())):
        code, said = Guarded(folder, *option, *more).ended()
        assert code == 2
        assert status(file) == ("running", None, "")
        assert "another guard, which runs" in said
    guard.process.kill()
    guard.process.wait()
    assert status(file) == ("running", None, "")
    assert Guarded(another, *option, command=("true",)).ended()[0] == 0
    assert status(file) == ("ended", 0, "")


# Eight processes take the same file as nearly at once as they can, round by round.
RACE = """
import os, sys, time
from pathlib import Path
from freezetag.core.errors import UserError
from freezetag.live.guard.status_file import StatusFile

folder, links = Path(sys.argv[1]), sys.argv[2] == "links"
def no_links(*paths):
    raise PermissionError(1, "Operation not permitted")
if not links:
    os.link = no_links

def take(path, at):
    while time.monotonic() < at:
        pass
    try:
        with StatusFile(path, print) as status:
            os.write(told, b"1")
            os.read(until, 1)  # all have tried
            status.over(7, "")
    except UserError as error:
        assert "another guard, which runs" in str(error), error
        os.write(told, b"0")

for n in range(int(sys.argv[3])):
    at = time.monotonic() + 0.02
    path = folder / f"{n // 2}.status"  # fresh, then that of a guard that has ended
    (hears, told), (until, over) = os.pipe(), os.pipe()
    children = []
    for _ in range(8):
        if not (pid := os.fork()):
            os.close(over)
            try:
                take(path, at)
            finally:
                os.close(told)
                os._exit(0)
        children.append(pid)
    os.close(told)
    got = b""
    while len(got) < 8 and (more := os.read(hears, 8)):
        got += more
    os.close(over)
    print(got.count(b"1") if len(got) == 8 else "one said nothing")
    for pid in children:
        os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("file_system", ["links", "no links"])
def test_of_many_guards_that_start_at_once_one_gets_the_file(
    tmp_path: Path, file_system: str
) -> None:
    rounds = 30
    argv = [sys.executable, "-c", RACE, str(tmp_path), file_system, str(rounds)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["1"] * rounds, done.stderr
    assert len(list(tmp_path.iterdir())) == rounds // 2, "something was left beside it"
    assert all(status(path) == ("ended", 7, "") for path in tmp_path.iterdir())


def test_a_status_that_cannot_be_written_changes_no_stop(tmp_path: Path) -> None:
    folder = tmp_path / "told"
    code, said = Guarded(tmp_path, "--status-file", str(folder / "status")).ended()
    assert code == 2
    assert "cannot write --status-file" in said
    folder.mkdir()
    guard = Guarded(tmp_path, "--status-file", str(folder / "status"))
    guard.until_it_acts()
    (folder / "status").unlink()
    folder.rmdir()
    guard.process.terminate()
    code, said = guard.ended()
    assert code == 143
    assert "STOPPED" in said
    assert "cannot write --status-file" in said
    assert guard.is_silent()


def test_a_status_is_written_through_nothing_that_lies_in_its_folder(tmp_path: Path) -> None:
    """A command that knows the guard's number had laid a link or a pipe where the guard wrote."""
    file, other = tmp_path / "status.json", tmp_path / "other"
    other.write_text("of somebody else")
    laid = tmp_path / f"status.json.{os.getpid()}"
    laid.symlink_to(other)
    with StatusFile(file, print) as written:
        assert status(file) == ("running", None, "")
        written.over(3, "")
    assert status(file) == ("ended", 3, "")
    assert file.stat().st_mode & 0o777 == 0o644
    assert other.read_text() == "of somebody else"
    assert sorted(tmp_path.iterdir()) == [other, file, laid]


@pytest.mark.parametrize("place", ["", "/", "folder", "pipe", "link", "none"])
def test_what_is_no_plain_file_is_refused_and_not_replaced(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "none").symlink_to(tmp_path / "nowhere")
    before = {path: path.lstat().st_ino for path in tmp_path.iterdir()}
    named = str(tmp_path / place) if place.strip("/") else place
    state = str(tmp_path / "state")
    assert cli.run(["guard", "--status-file", named, "--state", state, "--", "true"]) == 2
    assert "no plain file" in capsys.readouterr().err
    assert {path: path.lstat().st_ino for path in tmp_path.iterdir()} == before
    assert (tmp_path / "kept").read_text() == "kept"


def test_a_server_that_ends_with_124_was_not_stopped(tmp_path: Path) -> None:
    """So nobody waits for its client to hang up, as after a stop, when calls are refused."""
    file = tmp_path / "status.json"
    guard = Guarded(
        tmp_path,
        *("--mcp", "--status-file", str(file)),
        command=("sh", "-c", "exit 124"),
        stdin=subprocess.PIPE,
    )
    assert guard.process.wait(20) == 124
    assert status(file) == ("ended", 124, "")
    assert guard.process.stdin is not None
    guard.process.stdin.close()
