"""The solvers' page is what their docstrings say, and its example prints what it shows."""

from __future__ import annotations

import pytest
from docs.solvers_page import PAGE, ROOMS, modules, page
from tests.docs.blocks import blocks


def test_the_page_is_as_the_docstrings_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python docs/solvers_page.py"


def test_every_room_has_its_members_on_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ("solve_dense", "solve_sparse", "solve_batched", "solve_exact", "backward"):
        assert f"#### {name}\n" in text
    assert all(list(modules(room)) for room in ROOMS)


def test_the_example_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = blocks(PAGE)[:2]
    exec(code.text, {})
    assert capsys.readouterr().out == shown.text
