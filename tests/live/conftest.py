"""A command line in an empty folder, and an authority's folder with its people's keys in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.live._serving import ADA, BOB, EVE, home

from freezetag import cli
from freezetag.live.authority.home import Home

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "HOME", "SERVER", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"FREEZETAG_{name}", raising=False)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = cli.run([str(each) for each in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return command


@pytest.fixture
def made(tmp_path: Path) -> Home:
    for name, (private, public) in {"ada": ADA, "bob": BOB, "eve": EVE}.items():
        texts = [base64.b64encode(each).decode() for each in (private, public)]
        data = {"name": name, "private": texts[0], "key": texts[1]}
        (tmp_path / f"{name}.key").write_text(json.dumps(data))
    return home(tmp_path / "oversight")
