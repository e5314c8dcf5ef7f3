"""Rosters by version: what is asked for is what is run, and what is written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.report.cards import card

from freezetag import cli, players
from freezetag.exam import rescore
from freezetag.exam.exam import Exam
from freezetag.exam.plan import plan
from freezetag.exam.population import named, population
from freezetag.exam.resolve import resolve
from freezetag.exam.spec import BadSpec, Spec, roster
from freezetag.report.compare import Incomparable, Run, compare
from freezetag.sweep.request import Request

OLD, NEW = "2026.1", "2026.2"
ASKED = {"worlds": ("matrix_game",), "probes": ("strangers",)}


def classmates(spec: Spec) -> Any:
    return plan(spec, resolve("tit_for_tat"))[0].setting.classmates


@pytest.mark.parametrize("version", players.VERSIONS)
def test_a_spec_of_a_roster_runs_that_roster_and_records_it(version: str) -> None:
    """Whatever is today's: the file names it, the class is it, the file written again names it."""
    text = Spec("tit_for_tat", 1, roster=version, **ASKED).to_toml()
    assert f'roster = "{version} {players.roster_hash(version)}"' in text
    spec = Spec.from_toml(text)
    assert classmates(spec) == players.roster(version)
    assert spec.to_toml() == text
    assert roster(version) == spec.roster


def test_a_spec_without_a_roster_records_todays() -> None:
    spec = Spec.from_toml('agent = "tit_for_tat"\nseed = 1\n')
    assert spec.roster == roster() == roster(players.ROSTER_VERSION)
    assert classmates(replace(spec, **ASKED)) == players.roster()
    assert Spec("tit_for_tat", 1) == Spec("tit_for_tat", 1, roster="") == spec
    assert f'roster = "{roster()}"' in Spec("tit_for_tat", 1).to_toml()


def test_a_sweep_of_an_older_roster_is_of_that_roster(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(f'agents = ["tit_for_tat"]\nseeds = 1\nroster = "{OLD}"\n')
    asked = Request.read(file)
    assert asked.shared.roster == roster(OLD)
    assert all(cell.spec.roster == roster(OLD) for cell in asked.cells())
    file.write_text(asked.to_toml())
    assert Request.read(file) == asked


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("2026.3", r"no roster '2026\.3'\. Did you mean 2026\..\? There are 2026\.1, 2026\.2"),
        ("\x1b[31m", r"no roster '\?\[31m'\. There are 2026\.1"),
        (f"{OLD} abc", r"of roster 2026\.1 abc, and this freezetag has another 2026\.1"),
        (f"{NEW} {players.roster_hash(OLD)}", "has another 2026.2"),
    ],
)
def test_a_roster_that_there_is_not_is_a_sentence(given: str, said: str) -> None:
    with pytest.raises(BadSpec, match=said):
        Spec("tit_for_tat", 1, roster=given)
    with pytest.raises(BadSpec, match=said):
        population(30, given)


def test_the_command_line_says_it_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["examine", "tit_for_tat", "--roster", "2026"]) == 2
    assert "Did you mean 2026." in capsys.readouterr().err
    assert cli.run(["examine", "idle", "--roster", OLD, "--classmates", "idle,grudger"]) == 2
    assert "roster 2026.1 says who a number of classmates is" in capsys.readouterr().err


def test_a_class_is_a_number_of_the_roster_that_it_is_of() -> None:
    assert named(players.class_of(30, OLD), OLD) == 30
    assert named(players.class_of(30)) == 30
    assert population(30, OLD) == players.class_of(30, OLD)
    other = NEW if players.ROSTER_VERSION == OLD else OLD
    told = named(players.class_of(30, other))
    assert isinstance(told, tuple)
    assert population(told) == players.class_of(30, other)
    # A small class that seats nobody who changed is the same of both.
    assert players.class_of(2, OLD) == players.class_of(2, NEW)


def test_a_card_of_an_older_roster_says_so() -> None:
    for version in players.VERSIONS:
        asked = Spec("tit_for_tat", 1, roster=version, size=0.1, **ASKED)
        with Exam.of(asked) as exam:
            told = [line for line in exam_notes(exam) if "roster" in line]
        today = version == players.ROSTER_VERSION
        assert told == (
            [] if today else [f"the class is of roster {version}; today's is {roster()[:6]}"]
        )


def exam_notes(exam: Exam) -> Any:
    """The notes of a card for which nobody was asked to act."""
    items = tuple(replace(item, reason="nobody acts") for item in exam.items)
    return replace(exam, items=items).run().card.warnings


def test_cards_of_two_rosters_are_refused_with_who_changed() -> None:
    one, other = (
        Run(replace(card(), spec={"seed": 7, "roster": roster(version)}), {})
        for version in (OLD, NEW)
    )
    with pytest.raises(Incomparable, match=r"differ in roster \('2026\.1 ") as refused:
        compare(one, other)
    said = str(refused.value)
    assert "seats shapers/meta_shaper for evolved_shaper, " in said
    assert "silent/mute for alternator of 2026.1." in said
    strange = Run(replace(card(), spec={"seed": 7, "roster": "2027.1 abc"}), {})
    with pytest.raises(Incomparable, match="differ in roster") as refused:
        compare(one, strange)
    assert "seats" not in str(refused.value)


def test_rescore_says_that_the_roster_can_still_be_asked_for() -> None:
    assert rescore.OLDER.format(OLD, NEW, OLD) == (
        "the roster was 2026.1, and is 2026.2 today unless it is asked for (--roster 2026.1)"
    )


def test_list_shows_who_sits_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "rosters"]) == 0
    out = capsys.readouterr().out
    first, second = out.split(f"\n{NEW}")
    assert first.startswith(OLD)
    assert players.roster_hash(OLD) in first
    assert sum(line.startswith("  ") for line in out.splitlines()) == 60
    assert "stands in for a meta-shaper" in first
    assert "stands in" not in second
    assert cli.run(["list", "players"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["silent/mute"].endswith(f"(roster {NEW})")
    assert lines["silent/alternator"].endswith(f"(roster {OLD})")
    assert lines["noisy/trembling_hand"].endswith(f"(roster {OLD}, {NEW})")
    assert "roster" not in lines["exploiters/presser"]
