"""`log:RUN`: the same exam from its record gives the same figures, and nobody acts for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.exam.exams import examined

from freezetag import cli
from freezetag.core import ReportCard
from freezetag.core.probe import NOT_MEASURED
from freezetag.exam.examine import examine
from freezetag.exam.store import RECORDS
from freezetag.report import schema


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log") / "run"
    examined().save(folder)
    return folder


def figures(card: ReportCard) -> dict[tuple[str, str], Any]:
    """All that was measured, to the bit: sections as a stored card has them, and their samples."""
    return {
        (each.probe, each.world): (
            schema.section_json(each),
            [tuple(map(repr, row.samples)) for row in each.measurements],
        )
        for each in card.sections
        if each.measurements
    }


def test_a_player_s_exam_from_its_record(saved: Path) -> None:
    first, again = examined().card, examine(f"log:{saved}", seed=9).card
    assert figures(first) == figures(again)
    assert figures(first)
    assert any("nobody acted" in warning for warning in again.warnings)
    others = [each for each in again.sections if not each.measurements]
    assert others
    assert {each.verdict for each in others} == {NOT_MEASURED}
    assert {each.reason for each in others} == {"the log holds no episodes of it, and nobody acts"}


@pytest.mark.slow
def test_the_records_alone_are_enough_under_any_name(saved: Path, tmp_path: Path) -> None:
    shutil.copy(saved / RECORDS, tmp_path / "some.thing")
    again = examine(f"log:{tmp_path / 'some.thing'}", seed=9, probes="lock_in").card
    assert figures(again) == {
        key: found for key, found in figures(examined().card).items() if key[0] == "lock_in"
    }


@pytest.mark.slow
def test_the_command_line_keeps_a_run_that_is_a_log_again(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "again"
    asked = ["examine", f"log:{saved}", "--out", str(out), "--seed", "3", "--json"]
    assert cli.run(asked) in (0, 1)
    json.loads(capsys.readouterr().out)
    assert figures(examine(f"log:{out}", seed=1).card) == figures(examined().card)


def test_what_is_no_record_of_a_run(saved: Path, tmp_path: Path) -> None:
    from freezetag.core import UserError

    with pytest.raises(UserError, match="there is no log in"):
        examine(f"log:{tmp_path}", seed=1)
    broken = tmp_path / "broken"
    content = (saved / RECORDS).read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError) as error:
        examine(f"log:{broken}", seed=1)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.slow
def test_a_language_model_s_exam_from_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("httpx2", reason="needs freezetag[llm]")
    from tests.llm import scripts
    from tests.llm.scripted import serving

    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path / "calls")
    with serving(scripts.reciprocates) as served:
        first = examine(
            served.agent, worlds="matrix_game", probes="class_effect", seed=1, budget_calls=230
        )
    first.save(tmp_path / "run")
    again = examine(f"log:{tmp_path / 'run'}", seed=2).card
    ours = {key: found for key, found in figures(first.card).items() if key[0] != "comprehension"}
    assert figures(again) == ours
    (found,) = ours.values()
    names = {row["name"] for row in found[0]["measurements"]}
    assert {"answers without an action", "labels effect"} <= names
