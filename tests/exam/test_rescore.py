"""A run scored again: the same from the same episodes, and what is said where it cannot be."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.exam.exams import examined

from freezetag import cli
from freezetag.exam import records, rescore
from freezetag.exam.spec import roster
from freezetag.exam.store import RECORDS
from freezetag.probes.lock_in.lock_in import LockIn
from freezetag.report import schema


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rescore") / "run"
    examined().save(folder)
    return folder


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


def test_episodes_come_back_to_the_bit(saved: Path) -> None:
    before = examined().records
    count = 0
    for one in records.Records(saved / RECORDS).values():
        for name, record in one.records.items():
            was = before[f"{one.probe}/{one.world}/{one.labels[name]}"]
            assert record.certain == was.certain
            for mine, his in zip(record.days, was.days, strict=True):
                for field in ("proposed", "executed", "levels", "rewards", "mode", "valid",
                              "seats", "forced", "illegal", "row", "repeat"):  # fmt: skip
                    a, b = getattr(mine, field), np.asarray(getattr(his, field))
                    assert a.dtype == b.dtype, field
                    np.testing.assert_array_equal(a, b)
                assert (mine.players, mine.events) == (his.players, his.events)
                assert set(mine.world) == set(his.world)
                assert set(mine.readings) == set(his.readings)
                count += 1
    assert count == sum(len(record.days) for record in before.values())


@pytest.mark.parametrize("name", ["card.html", "samples.json", "episodes.parquet", "records.zip"])
@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
def test_a_file_of_a_run_that_was_changed_is_named(
    name: str, gone: bool, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["card", str(run)]) == 0
    listed = hashlib.sha256((run / "files.sha256").read_bytes()).hexdigest()
    assert f"files.sha256 sha256:{listed}" in capsys.readouterr().err
    if gone:
        (run / name).unlink()
    else:
        file = run / name
        file.write_bytes(file.read_bytes() + b"\n")
    said = f"{name} {'is missing' if gone else 'was changed'}"
    assert cli.run(["card", str(run)]) == 1
    assert said in capsys.readouterr().err
    assert cli.run(["compare", str(run), str(run)]) == 1
    assert said in capsys.readouterr().err
    if name != "records.zip":
        assert cli.run(["rescore", str(run)]) == 1
        assert f"the run in {run} is not as it was written: {said}" in capsys.readouterr().err


def test_a_list_of_files_that_is_gone_is_missed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "files.sha256").unlink()
    said = "is not as it was written: files.sha256, the list of its files, is missing"
    for asked in ("card", "rescore"):
        assert cli.run([asked, str(run)]) == 1
        assert f"the run in {run} {said}" in capsys.readouterr().err
    for one in (run, run / "card.json"):
        assert cli.run(["compare", str(one), str(one)]) == 1
        assert f"the first run, {run}, {said}" in capsys.readouterr().err
    # A card that was taken out of its folder has no list to miss.
    alone = tmp_path / "mine.json"
    alone.write_bytes((run / "card.json").read_bytes())
    assert cli.run(["card", str(alone)]) == 0
    assert cli.run(["compare", str(alone), str(alone)]) == 0
    assert "files.sha256" not in capsys.readouterr().err


def test_of_a_run_that_never_had_a_list_nobody_can_tell(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an earlier version wrote it: no list, and none named by the card."""
    (run / "files.sha256").unlink()
    card = json.loads((run / "card.json").read_text())
    card["run"] = {key: value for key, value in card["run"].items() if value != "files.sha256"}
    (run / "card.json").write_text(json.dumps(card))
    for asked in (["card", str(run)], ["compare", str(run), str(run)], ["rescore", str(run)]):
        assert cli.run(asked) == 0
        said = capsys.readouterr()
        told = " ".join((said.err + said.out).split())
        assert "has no files.sha256" in told
        assert "cannot be told" in told


def test_a_list_of_files_that_is_none_is_named(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in (b"", b"x", b"\xff", b"0" * 64 + b"  ../card.json\n"):
        (run / "files.sha256").write_bytes(text)
        assert cli.run(["card", str(run)]) == 1
        assert "files.sha256 is damaged" in capsys.readouterr().err


def test_a_changed_card_is_scored_again_and_named(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = run / "card.json"
    file.write_text(file.read_text().replace('"verdict": "pass"', '"verdict": "fail"'))
    assert cli.run(["rescore", str(run)]) == 1
    assert f"the run in {run} is not as it was written" in capsys.readouterr().err
    new = schema.read_json(run / "rescored-1")
    assert any("the first run is not as it was written" in each for each in new.warnings)


def test_the_same_probes_find_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = {file.name: file.read_bytes() for file in run.iterdir()}
    assert cli.run(["rescore", str(run)]) == 0
    shown = capsys.readouterr().out
    new = schema.read_json(run / "rescored-1")
    for mine, his in zip(new.sections, examined().card.sections, strict=True):
        assert schema.section_json(mine) == schema.section_json(his)
    assert "nobody acted for it" in " ".join(new.warnings)
    assert f"{len(new.judged)} of {len(new.judged)} checks compare with the first card" in shown
    assert "does not compare" not in shown
    assert {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()} == old
    assert json.loads((run / "rescored-1/samples.json").read_text()) == json.loads(
        (run / "samples.json").read_text()
    )
    assert cli.run(["compare", str(run), str(run / "rescored-1")]) == 0
    assert cli.run(["rescore", str(run), "--json"]) == 0
    capsys.readouterr()
    assert (run / "rescored-2" / "card.html").exists()


def changed(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """As if the source of a member had been another one when the run was made."""
    whole = records._source
    monkeypatch.setattr(
        records, "_source", lambda ref: whole(ref) + ("x" if part in ref.path else "")
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "old", "today"),
    [
        ("probes/lock_in", (rescore.NEW_PROBE,), ()),
        ("substrates/matrix_game", (rescore.NEW_WORLD,), (rescore.NEW_WORLD,)),
        ("grudger", (), (rescore.NEW_CLASS.format("grudger"),)),
    ],
)
def test_what_changed_since_is_named(
    run: Path, monkeypatch: pytest.MonkeyPatch, part: str, old: Any, today: Any
) -> None:
    changed(monkeypatch, part)
    found = rescore.rescore(run)
    (one,) = [each for each in found.sections if each.old.probe == "lock_in"]
    assert (one.with_old, one.with_today) == (old, today)
    assert one.scored
    assert sum("lock in" in warning for warning in found.card.warnings) == len({*old, *today})


def test_another_build_is_a_note(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescore, "version", lambda: "another")
    assert rescore.NEW_PACKAGE in rescore.rescore(run).card.warnings
    monkeypatch.undo()
    assert rescore.NEW_PACKAGE not in rescore.rescore(run).card.warnings


@pytest.mark.slow
def test_another_roster(run: Path) -> None:
    spec = run / "spec.toml"
    spec.write_text(spec.read_text().replace(roster(), "1999.1 abc"))
    assert "1999" in spec.read_text()
    found = rescore.rescore(run)
    assert all("the roster was 1999.1" in each.with_today[0] for each in found.sections)
    assert all(each.with_old == () for each in found.sections)


@pytest.mark.slow
def test_a_probe_that_asks_for_arms_nobody_ran(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = LockIn.design

    def more(self: LockIn, setting: Any, seen: Any) -> Any:
        return {
            key: replace(arm, repeats=arm.repeats + 1)
            for key, arm in design(self, setting, seen).items()
        }

    monkeypatch.setattr(LockIn, "design", more)
    found = rescore.rescore(run)
    (one,) = [each for each in found.sections if each.old.probe == "lock_in"]
    assert not one.scored
    assert "today's probe asks for arms that were not run" in one.new.reason
    assert [each.scored for each in found.sections].count(True) == len(found.sections) - 1
    assert found.card.verdict in ("pass", "warn", "fail", "inconclusive")


def test_what_cannot_be_scored(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rescore", str(run / "nowhere")]) == 2
    with zipfile.ZipFile(run / RECORDS, "w") as archive:
        archive.writestr("000.zip", b"not a zip")
    assert cli.run(["rescore", str(run)]) == 2
    assert "is damaged" in capsys.readouterr().err
    (run / RECORDS).write_bytes(b"PK nothing")
    assert cli.run(["rescore", str(run)]) == 2
    (run / RECORDS).unlink()
    assert cli.run(["rescore", str(run)]) == 2
    assert "was examined by an older freezetag" in capsys.readouterr().err
    assert not list(run.glob("rescored-*"))


def test_what_an_arm_is_called_leaves_out_labels_and_defaults() -> None:
    record = next(iter(examined().records.values()))
    arm = record.arm
    name = records.name_of(arm, {})
    assert records.name_of(replace(arm, label="another"), {}) == name
    assert records.name_of(replace(arm, block=7), {}) != name
    assert records.name_of(replace(arm, repeats=arm.repeats + 1), {}) != name
    strange = replace(arm, scenario=replace(arm.scenario, treatments=(object(),)))
    assert records.name_of(strange, {}) == ""
