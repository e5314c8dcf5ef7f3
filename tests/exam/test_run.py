"""Running an examination: the same twice, interrupted and resumed, on a full disk."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.exam.exams import PROBES, Interrupt, examined, small

from freezetag import cli
from freezetag.core import ReportCard, Section
from freezetag.exam import store
from freezetag.exam.examine import Silent, resumed, run_spec
from freezetag.exam.plan import Item
from freezetag.exam.spec import BadSpec
from freezetag.report import schema


class Started(Silent):
    """Notes which probes ran, and what was said."""

    def __init__(self) -> None:
        self.probes: list[str] = []
        self.notes: list[str] = []

    def started(self, item: Item) -> None:
        self.probes.append(item.name)

    def note(self, text: str) -> None:
        self.notes.append(text)


def new_folder(path: Path, spec: Any) -> store.RunFolder:
    folder = store.RunFolder.create(path, spec.agent)
    folder.write("spec.toml", spec.to_toml())
    return folder


def samples(card: ReportCard) -> dict[str, Any]:
    return {
        store.sample_name(each, row): tuple(map(repr, row.samples))
        for each in card.sections
        for row in each.measurements
    }


def test_the_same_spec_gives_the_same_results_and_another_seed_does_not() -> None:
    first, again = examined(), run_spec(small())
    assert schema.results_hash(first.card) == schema.results_hash(again.card)
    assert samples(first.card) == samples(again.card)
    other = run_spec(small(seed=6))
    assert samples(first.card) != samples(other.card)
    assert schema.results_hash(first.card) != schema.results_hash(other.card)


def test_headlines_keep_their_values_by_seed() -> None:
    for section in examined().card.sections:
        row = section.headline
        assert row is not None
        assert len(row.samples) == row.of.n
    found = {row.name: row for row in examined().card.sections[0].measurements}
    mean = [row for row in found.values() if row.samples and row.of.method != "bootstrap BCa"]
    assert len(mean) > 8
    for row in mean:
        known = [x for x in row.samples if x == x]
        assert sum(known) / len(known) == pytest.approx(row.of.value, abs=1e-9)


def test_an_interrupted_run_is_resumed_to_the_same_results(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "run", small())
    stopped = run_spec(small(), folder=folder, progress=Interrupt())
    assert stopped.card.partial
    assert [each.probe for each in stopped.card.sections] == [PROBES[0]]
    assert "interrupted" in stopped.card.sentence
    assert stopped.verdict != "pass"
    kept = schema.read_json(folder.path)
    assert schema.results_hash(kept) == schema.results_hash(stopped.card)

    spec, before = resumed(folder.path)
    assert spec == small()
    progress = Started()
    finished = run_spec(spec, folder=folder, progress=progress, before=before)
    assert progress.probes == [PROBES[1]]
    assert not finished.card.partial
    assert schema.results_hash(finished.card) == schema.results_hash(examined().card)
    assert samples(finished.card) == samples(examined().card)

    folder.finish(finished.card, finished.records)
    with pytest.raises(BadSpec, match="complete"):
        resumed(folder.path)


def test_what_was_interrupted_before_anything_was_measured_starts_anew(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "run", small())
    assert resumed(folder.path) == (small(), None)
    with pytest.raises(BadSpec, match=r"no spec\.toml"):
        resumed(tmp_path)


def test_the_class_map_of_an_interrupted_run_is_kept(tmp_path: Path) -> None:
    """Sections that were not measured again bring no map with them."""
    spec = small(probes=("lock_in",))
    folder = new_folder(tmp_path / "run", spec)
    the_map = {"players": ("tit_for_tat", "idle"), "level": ((None, 0.5), (0.25, None))}
    before = ReportCard("tit_for_tat", "x", (), {}, {}, interaction=the_map, partial=True)
    folder.keep(before)
    _, kept = resumed(folder.path)
    finished = run_spec(spec, folder=folder, before=kept)
    assert finished.card.interaction == the_map
    assert schema.read_json(folder.path).interaction == the_map


def test_every_recorded_step_is_in_the_parquet_file(tmp_path: Path) -> None:
    records = examined().records
    path = store.write_parquet(records, tmp_path / "episodes.parquet")
    counts = dict(
        duckdb.execute(
            "select arm, count(*) from read_parquet(?) group by arm", [str(path)]
        ).fetchall()
    )
    for name, record in records.items():
        episode = record.episode
        assert counts[name] == int((episode.lengths * (episode.seats >= 0).sum(1)).sum()), name
    stocks = duckdb.execute(
        "select split_part(arm, '/', 1), min(world_stock), max(world_stock) from read_parquet(?) "
        "where not isnan(world_stock) group by all",
        [str(path)],
    ).fetchall()
    assert {arm for arm, *_ in stocks} == {"commons_collapse", "commons"}
    assert all(0 <= least < most <= 620 for _, least, most in stocks)


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_does_not_lose_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path / "run", small())
    monkeypatch.setattr(Path, "replace", no_space)
    progress = Started()
    found = run_spec(small(), folder=folder, progress=progress)
    assert schema.results_hash(found.card) == schema.results_hash(examined().card)
    assert len(progress.notes) == 1
    assert "card.json: No space left on device" in progress.notes[0]


def test_the_command_prints_the_card_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new_folder(tmp_path / "run", small())
    monkeypatch.setattr(Path, "replace", no_space)
    code = cli.run(["examine", "--resume", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert code == 3
    assert examined().card.sentence in " ".join(out.split())
    assert "No space left on device" in err
    assert "The card above is all that is left." in err


def test_sections_stand_in_the_order_of_the_plan() -> None:
    sections: tuple[Section, ...] = examined().card.sections
    assert tuple(each.probe for each in sections) == PROBES
    assert all(each.error is False for each in sections)
