"""`episodes.parquet`: every step that was recorded, a row per step and seat."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freezetag.core import Episode, Record, RunError

MAX_ROWS = 1_000_000
"""Rows of episodes.parquet at most (one per step and seat); whole episodes are kept in order."""


class CannotWrite(RunError):
    """A file of the run could not be written; the message says which and why."""


def write_parquet(records: Mapping[str, Record], target: Path, max_rows: int = MAX_ROWS) -> Path:
    """One row per (arm, day, episode, step, seat present): moves, levels, rewards, modes.

    Beyond the ceiling the last episodes of the largest arms are left out; `episodes_in_arm` says
    how many there were. What a world does not publish is empty. Raises `CannotWrite`.
    """
    import duckdb

    share = _share([_size(day) for one in records.values() for day in one.days], max_rows)
    names, parts = [], []
    for arm, record in records.items():
        for day, episode in enumerate(record.days):
            names.append((arm, day, episode.players, len(episode.valid)))
            parts.append(_rows(episode, len(names) - 1, share))
    tables = _tables(parts)
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
        with (
            _whole(target) as made,
            tempfile.TemporaryDirectory() as scratch,
            duckdb.connect() as db,
        ):
            for i, columns in enumerate(tables):
                db.register(f"columns_{i}", columns)
            union = " union all by name ".join(f"from columns_{i}" for i in range(len(tables)))
            for table, rows in (("labels", labels), ("who", who)):
                file = Path(scratch) / f"{table}.json"
                file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
                db.execute(f"create table {table} as from read_json('{file}')")
            db.execute(
                "copy (select arm, day, episodes_in_arm, columns.* exclude (which), player "
                f"from ({union}) as columns join labels using (which) "
                "join who using (which, player_id) order by which, episode, step, seat) "
                f"to {_quoted(made)} (format parquet, compression zstd)"
            )
    except (OSError, duckdb.Error) as error:
        raise CannotWrite(f"cannot write {target}: {error}.") from None
    return target


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file beside `target` to write to, which becomes it once it is whole."""
    made = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        yield made
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    """A path as SQL has it."""
    return "'" + str(path).replace("'", "''") + "'"


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


def _tables(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The parts put together, a table for each set of columns: what a world does not publish takes
    no room."""
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for part in parts:
        alike.setdefault(tuple(part), []).append(part)
    return [
        {key: np.concatenate([part[key] for part in some]) for key in keys}
        for keys, some in alike.items()
    ]


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
        **{
            f"world_{name}": values[b, t] if values.ndim == 2 else values[b, t, n]
            for name, values in episode.world.items()
        },
    }
