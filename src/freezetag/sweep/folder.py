"""The folder of a sweep: the request, a run folder for each cell, the store, the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from freezetag.exam.parquet import CannotWrite
from freezetag.exam.spec import BadSpec
from freezetag.exam.store import FolderTaken, own, release, write_whole

REQUEST, RESULTS, PAGE, SORTED, CELLS = (
    "sweep.toml",
    "results.parquet",
    "index.html",
    "sorted",
    "cells",
)


class SweepFolder:
    """Opened with `create` or `resume`; a context manager, which holds the folder against any other
    process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owned = own(path)

    @classmethod
    def create(cls, path: Path | None) -> SweepFolder:
        """A new folder: `path`, or the next free `runs/sweep-<number>`. Raises `FolderTaken`,
        `CannotWrite`."""
        if path is None:
            path = _next_free()
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FolderTaken(
                f"{path} exists already and is not overwritten. "
                f"Choose another --out, or continue an interrupted sweep with --resume {path}."
            )
        try:
            (path / CELLS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"cannot make the folder {path}: {error.strerror}.") from None
        return cls(path)

    @classmethod
    def resume(cls, path: Path) -> SweepFolder:
        """The folder of a sweep that was begun. Raises `BadSpec`, `FolderTaken`, `CannotWrite`."""
        if not (path / REQUEST).is_file():
            more = f" `freezetag examine --resume {path}` goes on with a single exam."
            single = more if (path / "spec.toml").exists() else ""
            raise BadSpec(f"{path} is not the folder of a sweep: it has no {REQUEST}.{single}")
        folder = cls(path)
        try:
            folder.cells.mkdir(exist_ok=True)
        except OSError as error:
            folder.close()
            raise CannotWrite(f"cannot make {folder.cells}: {error.strerror}.") from None
        return folder

    def __enter__(self) -> SweepFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the folder."""
        release(self._owned)
        self._owned = -1

    @property
    def cells(self) -> Path:
        return self.path / CELLS

    def write(self, texts: Mapping[str, str]) -> None:
        """Write files, each whole or not at all. Raises `CannotWrite`."""
        for name, text in texts.items():
            write_whole(self.path / name, text)

    def write_new(self, texts: Mapping[str, str]) -> None:
        """As `write`, those that are not there yet."""
        self.write({name: text for name, text in texts.items() if not (self.path / name).exists()})


def _next_free() -> Path:
    number = 1
    while (path := Path("runs") / f"sweep-{number}").exists():
        number += 1
    return path
