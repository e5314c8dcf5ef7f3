"""The run folder: what was measured is on disk as soon as it is measured."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from freezetag.core import (
    Episode,
    Measurement,
    Record,
    ReportCard,
    RunError,
    Section,
    UserError,
)
from freezetag.report import html, schema

MAX_ROWS = 1_000_000
"""Rows of episodes.parquet at most (one per step and seat); whole episodes are kept in order."""


class FolderTaken(UserError):
    """The run folder exists already; nothing is overwritten."""


class CannotWrite(RunError):
    """A file of the run could not be written; the message says which and why."""


class RunFolder:
    """`card.json`, `card.html`, `spec.toml`, `episodes.parquet` of one run.

    Opened with `create` (a new folder) or `resume` (one with a partial card).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path | None, agent: str) -> RunFolder:
        """A new folder: `path`, or the next free `runs/<agent>-<number>`. Raises `FolderTaken`."""
        if path is None:
            path = _next_free(agent)
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FolderTaken(
                f"{path} exists already and is not overwritten. "
                f"Choose another --out, or continue an interrupted run with --resume {path}."
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"cannot make the run folder {path}: {error.strerror}.") from None
        return cls(path)

    def write(self, name: str, text: str) -> Path:
        """Write a file whole or not at all. Raises `CannotWrite`."""
        target = self.path / name
        try:
            handle, made = tempfile.mkstemp(dir=self.path, prefix=f".{name}-")
            temporary = Path(made)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                temporary.chmod(0o644)
                temporary.replace(target)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        except OSError as error:
            raise CannotWrite(f"cannot write {target}: {error.strerror or error}.") from None
        return target

    def keep(self, card: ReportCard) -> None:
        """Keep what is measured so far, so that an interrupted run can be resumed."""
        self.write("card.json", schema.write_json(card))
        self._samples(card)

    def finish(self, card: ReportCard, records: Mapping[str, Record]) -> dict[str, Path]:
        """Write everything; returns the paths by name. Raises `CannotWrite` at the first file
        that cannot be written, with those before it in place."""
        found = {
            "card.json": self.write("card.json", schema.write_json(card)),
            "card.html": self.write("card.html", html.write_html(card)),
        }
        found |= self._samples(card)
        if records:
            # A resumed run adds a file: what the first part recorded stays as it is.
            number, name = 1, "episodes.parquet"
            while (self.path / name).exists():
                number += 1
                name = f"episodes-{number}.parquet"
            found[name] = write_parquet(records, self.path / name)
        self._latest()
        return found

    def _samples(self, card: ReportCard) -> dict[str, Path]:
        """`samples.json`: "probe/world/measurement" -> values by seed, where there are any."""
        samples = {
            sample_name(section, row): [_or_none(x) for x in row.samples]
            for section in card.sections
            for row in section.measurements
            if row.samples
        }
        if not samples:
            return {}
        return {"samples.json": self.write("samples.json", json.dumps(samples) + "\n")}

    def _latest(self) -> None:
        """`latest` beside the run points to it, where links can be made."""
        link = self.path.parent / "latest"
        with contextlib.suppress(OSError):
            if link.is_symlink() or not link.exists():
                temporary = self.path.parent / f".latest-{os.getpid()}"
                temporary.symlink_to(self.path.name)
                temporary.replace(link)


def read_partial(path: Path) -> ReportCard | None:
    """The card that an interrupted run kept, with its samples; None if it kept none.

    Raises as `schema.read_json` does. Samples that cannot be read are left out.
    """
    if not (path / "card.json").exists():
        return None
    card = schema.read_json(path)
    samples: dict[str, list[float | None]] = {}
    with contextlib.suppress(OSError, ValueError):
        samples = json.loads((path / "samples.json").read_text(encoding="utf-8"))

    def with_samples(section: Section, row: Measurement) -> Measurement:
        values = samples.get(sample_name(section, row), ())
        return replace(row, samples=tuple(math.nan if x is None else x for x in values))

    return replace(
        card,
        sections=tuple(
            replace(each, measurements=tuple(with_samples(each, m) for m in each.measurements))
            for each in card.sections
        ),
    )


def sample_name(section: Section, row: Measurement) -> str:
    return f"{section.probe}/{section.world}/{row.name}"


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _next_free(agent: str) -> Path:
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(agent).stem if "/" in agent else agent)
    number = 1
    while (path := Path("runs") / f"{slug.strip('-.') or 'agent'}-{number}").exists():
        number += 1
    return path


def write_parquet(records: Mapping[str, Record], target: Path, max_rows: int = MAX_ROWS) -> Path:
    """One row per (arm, day, episode, step, seat present): moves, levels, rewards, modes.

    Beyond the ceiling the last episodes of the largest arms are left out; `episodes_in_arm` says
    how many there were. What a world does not publish is NaN. Raises `CannotWrite`.
    """
    import duckdb

    share = _share([_size(day) for one in records.values() for day in one.days], max_rows)
    names, parts = [], []
    for arm, record in records.items():
        for day, episode in enumerate(record.days):
            names.append((arm, day, episode.players, len(episode.valid)))
            parts.append(_rows(episode, len(names) - 1, share))
    columns = {
        key: np.concatenate([_column(part, key) for part in parts])
        for key in dict.fromkeys(key for part in parts for key in part)
    }
    labels = [
        {"which": i, "arm": arm, "day": day, "episodes_in_arm": total}
        for i, (arm, day, _, total) in enumerate(names)
    ]
    who = [
        {"which": i, "player_id": j, "player": player}
        for i, (_, _, players, _) in enumerate(names)
        for j, player in enumerate(players)
    ]
    try:
        with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as db:
            db.register("columns", columns)
            for table, rows in (("labels", labels), ("who", who)):
                file = Path(scratch) / f"{table}.json"
                file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
                db.execute(f"create table {table} as from read_json('{file}')")
            db.execute(
                "copy (select arm, day, episodes_in_arm, columns.* exclude (which), player "
                "from columns join labels using (which) join who using (which, player_id) "
                "order by which, episode, step, seat) "
                f"to '{str(target).replace(chr(39), chr(39) * 2)}' (format parquet, "
                "compression zstd)"
            )
    except (OSError, duckdb.Error) as error:
        raise CannotWrite(f"cannot write {target}: {error}.") from None
    return target


def _size(episode: Episode) -> int:
    """Rows of a day: steps that took place, times the seats present."""
    return int((episode.lengths * (episode.seats >= 0).sum(1)).sum())


def _share(sizes: Sequence[int], total: int) -> int:
    """The most rows that each arm may have, so that all together have `total` at most: what
    small arms do not need goes to the large ones."""
    left = total
    for i, size in enumerate(ordered := sorted(sizes)):
        share = left // (len(ordered) - i)
        if size > share:
            return share
        left -= size
    return total


def _column(part: Mapping[str, Any], key: str) -> Any:
    """A column of a part; NaN where its world has no such thing."""
    return part[key] if key in part else np.full(len(part["which"]), np.nan)


def episode_rows(episode: Episode, b: int) -> list[dict[str, Any]]:
    """One episode as the rows that `episodes.parquet` holds of it."""
    columns = _rows(episode, 0, episode.rewards.size)
    mine = columns["episode"] == b
    picked = {name: values[mine].tolist() for name, values in columns.items()}
    picked["player"] = [episode.players[i] for i in picked["player_id"]]
    return [dict(zip(picked, row, strict=True)) for row in zip(*picked.values(), strict=True)]


def _rows(episode: Episode, which: int, share: int) -> dict[str, Any]:
    """Columns of the first episodes, at most `share` rows."""
    there = episode.valid[:, :, None] & (episode.seats >= 0)[:, None, :]
    whole = np.cumsum(there.sum((1, 2))) <= max(share, 1)
    b, t, n = np.nonzero(there & whole[:, None, None])
    columns = {
        "which": np.full(len(b), which, np.int32),
        "episode": b.astype(np.int32),
        "row": episode.row[b],
        "repeat": episode.repeat[b],
        "step": t.astype(np.int32),
        "seat": n.astype(np.int32),
        "player_id": episode.seats[b, n],
    }
    for k in range(episode.proposed.shape[-1]):
        columns[f"proposed_{k}"] = episode.proposed[b, t, n, k]
        columns[f"executed_{k}"] = episode.executed[b, t, n, k]
    return columns | {
        "level": episode.levels[b, t, n],
        "reward": episode.rewards[b, t, n],
        "mode": episode.mode[b, t + 1, n],
        "forced": episode.forced[b, t, n],
        **{f"world_{name}": values[b, t] for name, values in episode.world.items()},
    }
