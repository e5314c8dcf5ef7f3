"""Every example is one file that runs by itself, within a minute, and prints something."""

from __future__ import annotations

import re
import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_example_runs(example: Path, installed: Any, tmp_path: Path) -> None:
    if "axelrod:" in example.read_text() and not find_spec("axelrod"):
        pytest.skip("axelrod is not installed")  # to import it takes 10 s and a gigabyte
    shutil.copy(example, tmp_path)
    begun = time.monotonic()
    done = installed.run(["python", example.name], tmp_path)
    print(f"{example.name}: {time.monotonic() - begun:.0f} s")
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"\d", done.stdout)
    assert not re.search(r"\berror\b", done.stdout.lower())  # model_error is a probe


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_example_says_what_it_is_and_how_to_run_it(example: Path) -> None:
    assert f"python examples/{example.name}" in example.read_text().split('"""')[1]
