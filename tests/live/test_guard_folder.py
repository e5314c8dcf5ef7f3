"""Where a guard keeps its state if nobody says: a folder for each agent, and none forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezetag.live.guard.guard import default_folder


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
