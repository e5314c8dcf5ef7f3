"""The table of how often cards of scripted models fail is written by a tool that works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.llm.false_alarms import main

from freezetag.exam import calls


@pytest.mark.slow
def test_a_healthy_and_a_sick_model_have_a_row_each_and_are_asked_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "folder_of_calls", calls.folder_of_calls)  # the tool puts its own
    kept = tmp_path / "cards.jsonl"
    asked = ["--healthy", "1", "--sick", "1", "--keep", str(kept), "--out", "-"]
    main(asked)
    first, cards = capsys.readouterr().out, kept.read_text()
    assert [json.loads(line)["card"] for line in cards.splitlines()] == ["inconclusive", "fail"]
    assert "| healthy | 1 | 0 | 0 | 0 | 1 | 0 % [0, 98] |" in first
    assert "| sick | 1 | 0 | 0 | 1 | 0 | 100 % [" in first
    main(asked)
    assert capsys.readouterr().out == first
    assert kept.read_text() == cards
