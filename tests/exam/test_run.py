"""Running an examination: the same twice, interrupted and resumed, on a full disk."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.exam.exams import PROBES, Interrupt, examined, small, with_probe

from freezetag import cli
from freezetag.cli.progress import cost_line
from freezetag.core import ReportCard, Section
from freezetag.exam import parquet, store
from freezetag.exam.exam import Exam
from freezetag.exam.examine import run_spec
from freezetag.exam.plan import Item
from freezetag.exam.progress import Silent
from freezetag.exam.spec import BadSpec, Spec
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


def test_a_card_keeps_the_classes_that_were_met_and_not_those_asked_for() -> None:
    """Ten were asked for. A dilemma meets them in pairs; a world of three seats has room for two,
    and says so before and after."""
    assert "with up to 10 classmates" in examined().card.sentence
    # A search that makes up co-players meets no more classmates than there are.
    searched = run_spec(small(probes=("best_response_gain",), worlds=("matrix_game",), size=0.1))
    assert {each.classmates for each in searched.card.judged} == {10}
    spec = small(probes=("commons_collapse", "victims"), worlds=("commons(players=3)",), size=0.1)
    few = run_spec(spec)
    assert {each.classmates for each in few.card.judged} == {2}
    assert "with up to 2 classmates" in few.card.sentence
    assert few.card.whole_class == "class of 2"
    with Exam.of(spec) as exam:
        assert "class of 2 " in cost_line(spec, exam.items)


def test_headlines_keep_their_values_by_seed() -> None:
    for section in examined().card.sections:
        row = section.headline
        assert row is not None
        assert len(row.samples) == row.of.n
    found = {row.name: row for row in examined().card.sections[0].measurements}
    mean = [
        row
        for row in found.values()
        if row.samples and not row.of.method.startswith("bootstrap BCa")
    ]
    assert len(mean) > 8
    for row in mean:
        known = [x for x in row.samples if x == x]
        assert sum(known) / len(known) == pytest.approx(row.of.value, abs=1e-9)


@pytest.mark.parametrize("kept", ["0f" * 32, None], ids=["others", "unknown"])
def test_what_other_sources_measured_before_a_run_was_resumed_is_named(
    kept: str | None, tmp_path: Path
) -> None:
    """Of a package that was brought up to date meanwhile; the card names the sources of today."""
    with store.RunFolder.create(tmp_path / "run", "x") as folder:
        run_spec(small(), folder=folder, progress=Interrupt())
    (part,) = (tmp_path / "run" / "parts").glob("*.json")
    data = json.loads(part.read_text())
    del data["sources"]
    part.write_text(json.dumps(data if kept is None else data | {"sources": kept}))
    with store.RunFolder.resume(tmp_path / "run") as folder:
        found = run_spec(small(), folder=folder).card
    (said,) = (each for each in found.warnings if "resumed" in each)
    assert said.endswith(f"by other sources of freezetag than it names: {PROBES[0]} in commons")


def test_an_interrupted_run_is_resumed_to_the_same_results(tmp_path: Path) -> None:
    """Killed after its first section, so that nothing but the parts is there; the whole file of
    episodes is that of a run in one go."""
    with store.RunFolder.create(tmp_path / "run", "x") as folder:
        stopped = run_spec(small(), folder=folder, progress=Interrupt())
    assert stopped.card.partial
    assert [each.probe for each in stopped.card.sections] == [PROBES[0]]
    assert "interrupted" in stopped.card.sentence
    assert stopped.verdict != "pass"
    assert not (folder.path / "card.json").exists()

    progress = Started()
    with store.RunFolder.resume(folder.path) as folder:
        spec = Spec.read(folder.path / "spec.toml")
        assert spec == small()
        finished = run_spec(spec, folder=folder, progress=progress)
        assert progress.probes == [PROBES[1]]
        assert not finished.card.partial
        assert schema.results_hash(finished.card) == schema.results_hash(examined().card)
        assert samples(finished.card) == samples(examined().card)
        paths = folder.finish(finished.card)
    assert finished.card.warnings == examined().card.warnings
    whole = examined().save(tmp_path / "whole")["episodes.parquet"]
    query = (
        "select arm, day, count(*) n, sum(reward) r from read_parquet(?) group by all order by all"
    )
    found = [duckdb.execute(query, [str(p)]).fetchall() for p in (paths["episodes.parquet"], whole)]
    assert found[0] == found[1]
    assert len(found[0]) == len(examined().records)
    with pytest.raises(BadSpec, match="complete"):
        store.RunFolder.resume(folder.path)


@pytest.mark.slow
def test_a_partial_card_is_written_on_ctrl_c_and_the_run_goes_on_from_its_parts(
    tmp_path: Path,
) -> None:
    with store.RunFolder.create(tmp_path / "run", "x") as folder:
        stopped = run_spec(small(), folder=folder, progress=Interrupt())
        folder.finish(stopped.card)
    assert schema.read_json(folder.path).partial
    with store.RunFolder.resume(folder.path) as again:
        progress = Started()
        run_spec(small(), folder=again, progress=progress)
    assert progress.probes == [PROBES[1]]


def test_what_was_interrupted_before_anything_was_measured_starts_anew(tmp_path: Path) -> None:
    class AtOnce(Silent):
        def started(self, item: Item) -> None:
            raise KeyboardInterrupt

    with store.RunFolder.create(tmp_path / "run", "x") as folder:
        run_spec(small(), folder=folder, progress=AtOnce())
        assert folder.kept() == ()
        assert Spec.read(folder.path / "spec.toml") == small()


def test_every_recorded_step_is_in_the_parquet_file(tmp_path: Path) -> None:
    records = examined().records
    path = parquet.write_parquet(records, tmp_path / "episodes.parquet")
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
    assert {arm for arm, *_ in stocks} == {"commons_collapse"}
    assert all(0 <= least < most <= 620 for _, least, most in stocks)


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_does_not_lose_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.RunFolder.create(tmp_path / "run", "x")
    monkeypatch.setattr(Path, "replace", no_space)
    progress = Started()
    found = run_spec(small(), folder=folder, progress=progress)
    assert schema.results_hash(found.card) == schema.results_hash(examined().card)
    assert len(progress.notes) == 1
    assert "spec.toml: No space left on device" in progress.notes[0]


@pytest.mark.slow
def test_the_command_prints_the_card_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.RunFolder.create(tmp_path / "run", "x") as folder:
        folder.write("spec.toml", small().to_toml())
    monkeypatch.setattr(Path, "replace", no_space)
    code = cli.run(["examine", "--resume", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert code == 3
    assert examined().card.sentence in " ".join(out.split())
    assert "No space left on device" in err
    assert "The card above is all that is left." in err


@pytest.mark.slow
def test_a_probe_added_from_outside_moves_no_byte_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue's folder, in a copy with one more file in it."""
    with with_probe("another", ANOTHER, tmp_path, monkeypatch):
        found = run_spec(small(probes=(*PROBES, "another")))
    assert [each.probe for each in found.card.sections] == ["another", *PROBES]
    others = [each for each in found.card.sections if each.probe != "another"]
    assert list(map(schema.section_json, others)) == [
        schema.section_json(each) for each in examined().card.sections
    ]
    assert samples(replace(found.card, sections=tuple(others))) == samples(examined().card)


ANOTHER = '''
"""Another."""
from dataclasses import dataclass
from freezetag.core import Arm, Finding, HasPayoffs, Measurement, Probe, Ref
from freezetag.estimators import bootstrap

@dataclass(frozen=True)
class Another(Probe):
    """Counts its reward in two matches with each."""
    asks, source, caveat = "?", "here", "none"
    needs, worlds = (HasPayoffs,), (Ref.of("substrates/matrix_game"),)
    rank, acts = 1, 600_000

    def design(self, setting, seen):
        return {} if seen else {"matches": Arm(setting.pairs(horizon=10), 2)}

    def measure(self, setting, seen):
        of = bootstrap.mean(seen["matches"].episode.rewards[:, :, 0].mean(1))
        return Finding((Measurement("reward", "utility", of, headline=True),))
'''


def test_sections_stand_in_the_order_of_the_plan() -> None:
    sections: tuple[Section, ...] = examined().card.sections
    assert tuple(each.probe for each in sections) == PROBES
    assert all(each.error is False for each in sections)
