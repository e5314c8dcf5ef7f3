"""The blocks of the documents that need a framework run, each by itself in an empty folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.blocks import FRAMEWORKS, Block, blocks
from tests.frameworks.shop import MISSING, is_installed, need_one

need_one()
ROOT = Path(__file__).resolve().parents[2]
MARKED = [
    pytest.param(block, id=f"{page.name}:{block.said.rpartition(' ')[2]}")
    for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
    for block in blocks(page)
    if block.mark == FRAMEWORKS
]
LIBRARIES = {"agents-sdk": "agents", "langchain": "langchain", "pydantic-ai": "pydantic_ai"}


@pytest.mark.parametrize("block", MARKED)
def test_a_block_runs(block: Block, tmp_path: Path) -> None:
    library = LIBRARIES[block.said.rpartition(" ")[2]]
    if not is_installed(library):
        pytest.skip(MISSING.format(library))
    (tmp_path / "block.py").write_text(block.text)
    done = subprocess.run(
        [sys.executable, "block.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "'tool pay' is refused: stopped by local: pays too often\n"


def test_each_framework_has_one() -> None:
    assert len(MARKED) == len(LIBRARIES)
