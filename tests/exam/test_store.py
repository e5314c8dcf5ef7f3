"""The run folder: what it holds, what it does not overwrite, what a full disk does to it."""

from __future__ import annotations

import errno
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezetag import catalogue
from freezetag.core import (
    FOCAL,
    Arm,
    Episode,
    Measurement,
    Record,
    Ref,
    ReportCard,
    Scenario,
    Section,
    Setting,
)
from freezetag.estimators.estimate import exact
from freezetag.exam import parquet, store
from freezetag.exam.spec import BadSpec
from freezetag.report import schema

B, T, N = 5, 4, 3


def record(seed: int = 0) -> Record:
    """Five episodes: the third seat is empty, and episode 2 ends after one step."""
    rng = np.random.default_rng(seed)
    shape = (B, T, N)
    valid = np.ones((B, T), bool)
    valid[2, 1:] = False
    seats = np.tile(np.array([0, 1, -1], np.int32), (B, 1))
    moves = rng.integers(0, 9, (*shape, 1)).astype(np.int32)
    episode = Episode(
        moves, moves + 1, rng.random(shape), rng.random(shape), np.zeros((B, T + 1, N), np.int32),
        valid, seats, np.zeros(shape, bool), np.zeros(shape, bool), {"stock": rng.random((B, T))},
        np.zeros(B, np.int32), np.arange(B, dtype=np.int32), ("focal", "it's 'other'"),
    )  # fmt: skip
    cast = (FOCAL, Ref("players/baselines/idle"))
    scenario = Scenario(Ref("substrates/commons"), cast, ((0, 1, -1),), T)
    return Record(Arm(scenario, B), (episode,))


def a_section(samples: tuple[float, ...] = ()) -> Section:
    row = Measurement("harm", "share", exact(0.1), headline=True, samples=samples)
    return Section("one", "world", "?", "", "", (row,), verdict="measured")


def a_card(samples: tuple[float, ...] = (), partial: bool = True) -> ReportCard:
    return ReportCard("a", "player", (a_section(samples),), {"seed": 1}, {}, partial=partial)


def rows(path: Path, query: str = "select *") -> list[Any]:
    return duckdb.execute(f"{query} from read_parquet(?)", [str(path)]).fetchall()


def test_parquet_has_a_row_per_step_and_seat_present(tmp_path: Path) -> None:
    one = record()
    path = parquet.write_parquet({"arm": one}, tmp_path / "it's.parquet")
    episode = one.episode
    assert len(rows(path)) == int(episode.valid.sum()) * 2
    found = rows(path, "select episode, step, seat, player, proposed_0, executed_0, reward, "
                       "world_stock, mode, episodes_in_arm")  # fmt: skip
    for b, t, n, player, wanted, did, reward, stock, mode, total in found:
        assert player == ("focal", "it's 'other'")[n]
        assert (wanted, did) == (episode.proposed[b, t, n, 0], episode.executed[b, t, n, 0])
        assert reward == episode.rewards[b, t, n]
        assert stock == episode.world["stock"][b, t]
        assert (mode, total) == (0, B)
    assert sorted({(b, t) for b, t, *_ in found}) == [tuple(x) for x in np.argwhere(episode.valid)]


def test_parquet_keeps_whole_episodes_up_to_its_ceiling(tmp_path: Path) -> None:
    records = {"first": record(1), "second": record(2)}
    path = parquet.write_parquet(records, tmp_path / "e.parquet", max_rows=40)
    assert len(rows(path)) <= 40
    kept = rows(path, "select arm, episode, episodes_in_arm")
    counts = [
        (arm, len({b for a, b, _ in kept if a == arm}), {n for a, _, n in kept if a == arm})
        for arm in records
    ]
    # 20 rows an arm: episodes 0, 1 (8 rows each) and 2 (2 rows); the fourth would be cut.
    assert counts == [("first", 3, {B}), ("second", 3, {B})]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(1, 200))
def test_no_row_is_left_out_that_has_room(sizes: list[int], total: int) -> None:
    share = parquet._share(sizes, total)
    kept = sum(min(size, share) for size in sizes)
    assert kept <= total
    assert share >= total // len(sizes)
    if sum(sizes) > total:
        assert kept > total - len(sizes)
    else:
        assert kept == sum(sizes)


def test_an_episode_as_rows_is_what_parquet_has(tmp_path: Path) -> None:
    one = record()
    path = parquet.write_parquet({"arm": one}, tmp_path / "e.parquet")
    first = parquet.episode_rows(one.episode, 2)
    assert len(first) == 2
    kept = rows(path, "select seat, reward, player")
    assert [(r["seat"], r["reward"], r["player"]) for r in first] == [
        row for row, b in zip(kept, rows(path, "select episode"), strict=True) if b == (2,)
    ]


def test_a_run_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    first = store.RunFolder.create(tmp_path / "run", "agent")
    first.write("spec.toml", "x")
    with pytest.raises(store.FolderTaken, match=r"not overwritten.*--resume"):
        store.RunFolder.create(tmp_path / "run", "agent")
    (tmp_path / "file").write_text("")
    with pytest.raises(store.FolderTaken):
        store.RunFolder.create(tmp_path / "file", "agent")
    assert (tmp_path / "run" / "spec.toml").read_text() == "x"


def test_without_a_folder_the_next_free_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [str(store.RunFolder.create(None, "../my agents/x:y.py").path) for _ in range(2)]
    assert names == ["runs/x-y-1", "runs/x-y-2"]
    assert str(store.RunFolder.create(None, "rrps:greenberg").path) == "runs/rrps-greenberg-1"
    assert str(store.RunFolder.create(None, "...").path) == "runs/agent-1"


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.RunFolder.create(tmp_path / "run", "agent")
    run.keep(0, a_section(), {"arm": record()})
    before = run.kept()
    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(parquet.CannotWrite, match=r"card\.json: No space left on device"):
        run.finish(a_card(partial=False))
    with pytest.raises(parquet.CannotWrite, match=r"001\.json: .*No space left on device"):
        run.keep(1, a_section(), {"arm": record()})
    assert run.kept() == before
    names = sorted(str(path.relative_to(run.path)) for path in run.path.rglob("*"))
    assert names == ["parts", "parts/000.json"]


def test_parquet_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(parquet.CannotWrite, match=r"cannot write .*episodes\.parquet"):
        parquet.write_parquet({"arm": record()}, tmp_path / "gone" / "episodes.parquet")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(parquet.CannotWrite, match="cannot make the run folder"):
        store.RunFolder.create(tmp_path / "file" / "run", "agent")


def test_samples_survive_an_interruption(tmp_path: Path) -> None:
    run = store.RunFolder.create(tmp_path / "run", "agent")
    assert run.kept() == ()
    the_map = {"players": ("a", "b"), "level": ((None, 0.5), (0.25, None))}
    run.keep(0, a_section((0.5, math.nan, 1.0)), None, the_map)
    (kept,) = run.kept()
    np.testing.assert_equal(kept.section.measurements[0].samples, (0.5, math.nan, 1.0))
    assert kept.interaction == the_map
    (run.parts / "000.json").write_text("{")
    assert run.kept() == ()


def test_a_finished_run_has_all_its_files(tmp_path: Path) -> None:
    run = store.RunFolder.create(tmp_path / "run", "agent")
    names = {"card.json", "card.html", "samples.json", "episodes.parquet", "files.sha256"}
    run.keep(0, a_section((1.0,)), {"arm": record()})
    paths = run.finish(a_card((1.0,), partial=False))
    assert set(paths) == names
    assert all(path.is_file() and path.stat().st_mode & 0o444 == 0o444 for path in paths.values())
    assert schema.results_hash(schema.read_json(run.path)) == schema.results_hash(
        a_card(partial=False)
    )
    assert json.loads(paths["samples.json"].read_text()) == {"one/world/harm": [1.0]}
    assert (tmp_path / "latest").resolve() == run.path.resolve()
    assert not run.parts.exists()


def test_the_file_of_episodes_of_a_resumed_run_is_that_of_one_run(tmp_path: Path) -> None:
    """Of two worlds that publish different things; the first was measured by another process."""
    one, other = record(1), record(2)
    other.episode.world["fish"] = other.episode.world.pop("stock")
    first = a_section((1.0,))
    second = replace(first, world="sea")
    world = Ref("substrates/commons")
    setting = Setting(world, catalogue.load(world), ())
    with store.RunFolder.create(tmp_path / "run", "agent") as stopped:
        stopped.keep(0, first, {"one/world/a": one}, setting=setting)
    (tmp_path / "run" / "spec.toml").write_text("")
    with store.RunFolder.resume(tmp_path / "run") as run:
        run.keep(1, second, {"one/sea/a": other}, setting=setting)
        found = run.finish(a_card(partial=True))["episodes.parquet"]
    both = {"one/world/a": one, "one/sea/a": other}
    whole = parquet.write_parquet(both, tmp_path / "whole.parquet")
    np.testing.assert_equal(rows(found), rows(whole))


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second process may not go on with a run while the first one does."""
    with store.RunFolder.create(tmp_path / "run", "agent") as run:
        run.write("spec.toml", "x")
        with pytest.raises(store.FolderTaken, match="another process is running the exam in"):
            store.RunFolder.resume(run.path)
    with store.RunFolder.resume(run.path) as again:
        assert again.path == run.path
        again.finish(a_card(partial=False))
    with pytest.raises(BadSpec, match="complete"):
        store.RunFolder.resume(run.path)
    with pytest.raises(BadSpec, match=r"no spec\.toml"):
        store.RunFolder.resume(tmp_path)
