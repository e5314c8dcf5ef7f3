"""Files of keys and tokens on a disk without room: said in a sentence, and nothing half is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.live._serving import serving

from freezetag.live.authority.home import Home

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell bounds the files")


def without_room(folder: Path, *words: str) -> tuple[int, str]:
    """A command that may write no byte to any file: what writes there fails as on a full disk."""
    shell = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "freezetag"]
    done = subprocess.run([*shell, *words], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_a_person(tmp_path: Path) -> None:
    code, err = without_room(tmp_path, "enrol", "--person", "cy")
    assert (code, "Traceback" in err) == (3, False), err
    assert "cannot write cy.key" in err
    assert not list(tmp_path.iterdir())


def test_an_agent_and_a_token(made: Home) -> None:
    folder = made.path.parent
    with serving(made):
        before = sorted(folder.iterdir())
        token = ("token", "--issue", "press", "--holder", "a board", "--out", "board.token")
        for words in (("enrol", "writer"), token):
            code, err = without_room(folder, *words)
            assert (code, "Traceback" in err) == (3, False), err
            assert "cannot write" in err
        assert sorted(folder.iterdir()) == before
