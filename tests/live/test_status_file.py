"""How a guard ended, for scripts: an exit code alone does not say whose it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.guards import Guarded


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
    assert [path.name for path in tmp_path.glob("status*")] == ["status.json"]


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
