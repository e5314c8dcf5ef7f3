"""A model's card is found again from what its run recorded, its answers too: nobody is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.llm import scripts
from tests.llm.scripted import serving

from freezetag import cli
from freezetag.core.probe import INCONCLUSIVE
from freezetag.exam import comprehension, rescore
from freezetag.report import schema

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
WORDS = [
    "--world",
    "matrix_game",
    "--probe",
    "class_effect",
    "--budget-calls",
    "230",
    "--seed",
    "1",
]


def watched(run: Path, episode: int, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert (
        cli.run(["watch", str(run), f"{episode}", "--arm", "class_effect/matrix_game/class"]) == 0
    )
    return capsys.readouterr().out


def test_rows_on_its_answers_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes by the letters, which is a matter of its answers alone."""
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path / "calls")
    run = tmp_path / "run"
    with serving(scripts.by_letter) as served:
        assert cli.run(["examine", served.agent, *WORDS, "--out", str(run)]) == 0
    asked = len(served.requests)
    old = schema.read_json(run)
    found = rescore.rescore(run)
    assert [schema.section_json(s) for s in found.card.sections] == [
        schema.section_json(s) for s in old.sections
    ]
    (of,) = [each for each in found.sections if each.old.probe == "class_effect"]
    assert of.new.verdict == INCONCLUSIVE
    assert "goes by the wording" in of.new.reason
    names = {row.name for row in of.new.measurements}
    assert {"answers without an action", "labels effect"} <= names
    assert of.scored
    assert (of.with_old, of.with_today) == ((), ())
    (screen,) = [each for each in found.sections if each.old.probe == comprehension.NAME]
    assert not screen.scored
    assert screen.with_today == (rescore.CARRIED,)
    again = tmp_path / "again"
    assert cli.run(["examine", f"log:{run}", "--out", str(again), "--seed", "1"]) == 0
    card: Any = schema.read_json(again)
    (section,) = [s for s in card.sections if s.probe == "class_effect"]
    assert schema.section_json(section) == schema.section_json(of.new)
    assert len(served.requests) == asked
    for episode in (0, 3):  # the rules are on record once for each wording
        told = watched(run, episode, capsys)
        assert told.count(" rules: You and another player are in a game.") == 1
        assert " told: This is round 1; nothing has been answered yet." in told
        assert " told: This is round 2. In round 1 you answered F and the other answered" in told
        assert told.count(" note: F") == told.count(" told: This is round ")
