"""The page on the two worlds: its picture is up to date, its block prints what it shows."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "two-worlds.md"


def test_the_picture_is_what_the_objects_draw() -> None:
    """Else run: python docs/draw_two_worlds.py."""
    script = ROOT / "docs" / "draw_two_worlds.py"
    spec = importlib.util.spec_from_file_location("draw_two_worlds", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.picture()


def test_its_block_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = blocks(PAGE)
    assert (code.kind, shown.kind) == ("python", "text")
    names: dict[str, Any] = {}
    exec(code.text, names)
    assert capsys.readouterr().out == shown.text
    figures = set(re.findall(r"\d\.\d{6}", PAGE.read_text(encoding="utf-8")))
    assert figures == set(re.findall(r"\d\.\d{6}", shown.text))


def test_quotations_are_the_sources() -> None:
    source = ROOT.parent / "shared" / "seeds" / "004_8fba81c914bcfed7.txt"
    if not source.exists():
        pytest.skip("the source is not beside this clone")
    words = " ".join(source.read_text(encoding="utf-8").split())
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == '| "']
    first = [row.split("|")[1] for row in rows]
    quoted = [q for cell in first for q in re.findall(r'"([^"]*)"', cell)]
    assert len(quoted) >= 6
    for quotation in quoted:
        for part in re.split(r" \.\.\. |\[the reward\]", quotation):
            assert part.strip() in words, part
