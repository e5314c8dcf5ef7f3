"""The how-to pages' world, player and probe, each in its folder of a copy of the package: found by
the commands and by the folder's own tests, with no other edit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.blocks import FILE, blocks

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "write-a-substrate.md": ("substrates", "volunteers.py"),
    "write-a-player.md": ("players/reciprocators", "two_step_memory.py"),
    "write-a-probe.md": ("probes", "first_defection.py"),
}
RUNS = {
    "volunteers": "tit_for_tat --world volunteers --classmates 2",
    "two_step_memory": "two_step_memory --probe strangers --classmates 6",
    "first_defection": "tit_for_tat --probe first_defection --classmates 6",
}
TESTS = {
    "volunteers": ("test_substrates.py", "volunteers"),
    "two_step_memory": ("test_players.py", "two_step_memory"),
    # Its mutant, twin and reference are the author's next step, as the page says.
    "first_defection": ("test_probes.py", "first_defection and says"),
}


@dataclass(frozen=True)
class Copy:
    """A copy of the package with the pages' files in it, and an empty folder beside it."""

    source: Path
    folder: Path

    def run(self, *command: str, folder: Path | None = None) -> str:
        env = {**os.environ, "PYTHONPATH": str(self.source), "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=folder or self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        said = f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode in (0, 1), said  # 1: the agent fails a limit
        assert "Traceback" not in done.stderr, said
        return done.stdout

    def freezetag(self, *arguments: str) -> str:
        return self.run("-m", "freezetag", *arguments)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    home = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "freezetag", home / "src" / "freezetag", ignore=ignored)
    for page, (folder, name) in FOLDERS.items():
        found = blocks(ROOT / "docs" / "how-to" / page)
        (code,) = (b.text for b in found if b.mark == FILE and b.said == name)
        target = home / "src" / "freezetag" / folder / name
        target.write_text(f'"""Of the page {page}."""\n\n{code}', encoding="utf-8")
    (home / "empty").mkdir()
    return Copy(home / "src", home / "empty")


def test_list_shows_them(copy: Copy) -> None:
    shown = copy.freezetag("list")
    assert all(name in shown for name in ("volunteers", "two_step_memory", "first_defection"))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_explain_and_examine_with_a_row(copy: Copy, name: str) -> None:
    assert f"{name}   (" in copy.freezetag("explain", name)
    card = copy.freezetag("examine", *RUNS[name].split(), "--seed", "0", "--json")
    sections = json.loads(card)["results"]["sections"]
    assert [each for each in sections if each["verdict"] != "not measured"], card


@pytest.mark.long  # the pages run it on their files
@pytest.mark.parametrize("what", ["volunteers", "two_step_memory", "first_defection"])
def test_check(copy: Copy, what: str) -> None:
    assert "It works." in copy.freezetag("check", what)


@pytest.mark.slow
@pytest.mark.parametrize("name", TESTS)
def test_the_folders_own_tests(copy: Copy, name: str) -> None:
    file, chosen = TESTS[name]
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/contracts/{file}"]
    printed = copy.run(*command, "-k", chosen, folder=ROOT)
    assert " passed" in printed
