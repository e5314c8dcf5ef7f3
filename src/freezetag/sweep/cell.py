"""One exam of a sweep: a pure function of its spec, in a run folder of its own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from freezetag.catalogue import source
from freezetag.core import ReportCard, UserError
from freezetag.exam.exam import Exam
from freezetag.exam.parquet import CannotWrite
from freezetag.exam.progress import Progress
from freezetag.exam.resolve import FILE, schemes
from freezetag.exam.spec import BadSpec, Spec
from freezetag.exam.store import SPEC, FolderTaken, RunFolder
from freezetag.report import schema
from freezetag.sim.workers import Cache

FAULT = "fault.txt"
_PATIENCE = 30.0
"""Seconds to wait for a worker of an interrupted sweep to leave its cell."""


@dataclass(frozen=True)
class Cell:
    """An agent under one seed, with all else that the spec says."""

    spec: Spec

    @property
    def id(self) -> str:
        """Twelve hex digits of the hash of the whole spec: equal specs are one cell."""
        return hashlib.sha256(self.spec.to_toml().encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The name of its folder: agent, seed and identity."""
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.spec.agent).strip("-.")[-60:].strip("-.")
        return f"{slug or 'agent'}-seed{self.spec.seed}-{self.id}"

    def card(self, cells: Path) -> ReportCard | None:
        """Its card, if its folder under `cells` is whole."""
        folder = cells / self.name
        if (folder / "parts").exists() or not (folder / "card.html").exists():
            return None
        try:
            card = schema.read_json(folder)
        except (OSError, UserError):
            return None
        return None if card.partial else card


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its card, or why there is none.

    `full` says that nothing could be written, so that going on makes no sense; `cut` that it was
    interrupted, with what was measured kept.
    """

    cell: Cell
    card: ReportCard | None = None
    reason: str = ""
    full: bool = False
    cut: bool = False


def examine(
    cell: Cell,
    cells: Path,
    cache: Cache,
    threads: int,
    progress: Progress | None = None,
) -> Outcome:
    """Run a cell in its folder under `cells`, or go on with it; what goes wrong is its outcome.

    `cache` keeps the processes of libraries for the next cell, and those of nobody else: a user's
    file begins anew in every cell.
    """
    try:
        with (
            Exam.of(cell.spec, cache=cache, threads=threads) as exam,
            _opened(cells / cell.name, cell) as folder,
        ):
            card = exam.run(folder, progress).card
            folder.finish(card, latest=False)
    except CannotWrite as error:
        return Outcome(cell, reason=str(error), full=True)
    except UserError as error:
        return Outcome(cell, reason=_anywhere(str(error)))
    except Exception as error:
        if said := source.blamed(error):
            return Outcome(cell, reason=_anywhere(said))
        # A fault of ours: the others go on, and whoever mends it needs the traceback.
        with contextlib.suppress(OSError):
            (cells / cell.name / FAULT).write_text(traceback.format_exc(), encoding="utf-8")
        reason = f"a fault of freezetag's own, {type(error).__name__}: {error} (see its {FAULT})"
        return Outcome(cell, reason=reason)
    finally:
        cache.end(lambda foreign: foreign.scheme not in set(schemes()) - {FILE})
        cache.told = {}  # what this exam may spend is no other's
    if not card.partial:
        return Outcome(cell, card)
    # Somebody told us to end; or a service that the agent needs is gone, which is tried again.
    broken_off = [section.reason for section in card.sections if section.broken_off]
    return Outcome(cell, reason=broken_off[-1]) if broken_off else Outcome(cell, cut=True)


def _anywhere(reason: str) -> str:
    """A reason without the folder in which this process happens to be: what is wrong with an agent
    is the same wherever it is examined."""
    for here in {str(Path.cwd()), str(Path.cwd().resolve())}:
        reason = reason.replace(f"{here}{os.sep}", "")
    return reason


def _opened(path: Path, cell: Cell) -> RunFolder:
    """The cell's folder, new or as an interrupted sweep left it. Raises as `RunFolder` does."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return _once(path, cell)
        except FolderTaken:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _once(path: Path, cell: Cell) -> RunFolder:
    if (path / SPEC).is_file():
        # A card beside parts was being written when the sweep was killed.
        if (path / "card.json").exists() and cell.card(path.parent) is None:
            (path / "card.json").unlink(missing_ok=True)
        folder = RunFolder.resume(path)
        try:
            if Spec.read(path / SPEC) != cell.spec:
                raise BadSpec(f"{path} is of another spec.")
        except BaseException:
            folder.close()
            raise
        return folder
    if path.exists():
        shutil.rmtree(path, ignore_errors=True)  # a beginning that was never written down
    return RunFolder.create(path, cell.spec.agent)
