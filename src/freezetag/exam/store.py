"""The run folder: what was measured is on disk as soon as it is measured."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freezetag.core import (
    Measurement,
    Record,
    ReportCard,
    Section,
    Setting,
    UserError,
)
from freezetag.exam import records as stored
from freezetag.exam.parquet import CannotWrite, write_parquet
from freezetag.exam.spec import BadSpec
from freezetag.report import html, manifest, schema
from freezetag.report.numbers import decode_free, encode_free
from freezetag.sim.identity import version

SPEC, RECORDS = manifest.SPEC, stored.FILE


class FolderTaken(UserError):
    """The run folder exists already; nothing is overwritten."""


@dataclass(frozen=True)
class Kept:
    """A section of an interrupted run as it was measured, with its samples, and the class's map if
    its probe drew one."""

    section: Section
    interaction: Mapping[str, Any]
    sources: str
    """The hash of the sources of this package that measured it; "" where that was not kept."""


class RunFolder:
    """`card.json`, `card.html`, `spec.toml`, `episodes.parquet` of one run, and its one owner.

    Opened with `create` (a new folder) or `resume` (an interrupted run); a context manager, which
    holds the folder against any other process. What is measured is kept under `parts/`, section by
    section, until the run is whole.
    """

    def __init__(self, path: Path, owned: int) -> None:
        self.path = path
        self._owned = owned
        self._measured: dict[str, Mapping[str, Record]] = {}

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
        return cls(path, own(path))

    @classmethod
    def resume(cls, path: Path) -> RunFolder:
        """The folder of an interrupted run. Raises `FolderTaken` while another process runs it,
        `BadSpec` if it is no run, or a complete one."""
        if not (path / SPEC).is_file():
            raise BadSpec(f"{path} is not a run folder: it has no spec.toml.")
        folder = cls(path, own(path))
        if (path / "card.json").exists() and not schema.read_json(path).partial:
            folder.close()
            raise BadSpec(f"the run in {path} is complete. Show it with `freezetag card {path}`.")
        return folder

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the folder."""
        release(self._owned)
        self._owned = -1

    @property
    def parts(self) -> Path:
        """Where sections wait until the run is whole."""
        return self.path / "parts"

    def write(self, name: str, text: str) -> Path:
        """Write a file whole or not at all. Raises `CannotWrite`."""
        return write_whole(self.path / name, text)

    def keep(
        self,
        number: int,
        section: Section,
        records: Mapping[str, Record] | None = None,
        interaction: Mapping[str, Any] | None = None,
        setting: Setting | None = None,
    ) -> None:
        """Keep a section, the `number`th of the exam, so that an interrupted run can be resumed:
        its records (by "probe/world/arm") first, so that no section is there without them; with
        the `setting` of its probe, so that they can be scored again. Raises `CannotWrite`."""
        name = f"{number:03d}"
        if records:
            self._measured[name] = records
            if setting is not None:
                try:
                    self.parts.mkdir(exist_ok=True)
                except OSError as error:
                    raise CannotWrite(f"cannot make {self.parts}: {error.strerror}.") from None
                _keep_records(self.parts / f"{name}.zip", section, records, setting)
        kept = {
            "section": schema.section_json(section),
            "samples": {
                row.name: [_or_none(x) for x in row.samples]
                for row in section.measurements
                if row.samples
            },
            "interaction": encode_free(interaction or {}),
            "sources": version(),
        }
        self.write(f"parts/{name}.json", json.dumps(kept, allow_nan=False))

    def kept(self) -> tuple[Kept, ...]:
        """What an interrupted run kept; a part that cannot be read is measured again."""
        found = []
        for file in sorted(self.parts.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
                part = json.loads(file.read_text(encoding="utf-8"))
                section = schema.section_from(part["section"])
                drawn = decode_free(part["interaction"])
                with_samples = _with_samples(section, part["samples"])
                found.append(Kept(with_samples, drawn, str(part.get("sources", ""))))
        return tuple(found)

    def finish(self, card: ReportCard, latest: bool = True) -> dict[str, Path]:
        """Write everything; returns the paths by name. Raises `CannotWrite` at the first file
        that cannot be written, with those before it in place. The parts of a whole run go.
        `latest`: the link beside the run shall point to it."""
        card = manifest.named(card)
        found = {
            "card.json": self.write("card.json", schema.write_json(card)),
            "card.html": self.write("card.html", html.write_html(card)),
        }
        samples = {
            sample_name(section, row): [_or_none(x) for x in row.samples]
            for section in card.sections
            for row in section.measurements
            if row.samples
        }
        if samples:
            found["samples.json"] = self.write("samples.json", json.dumps(samples) + "\n")
        if episodes := self._recorded():
            found["episodes.parquet"] = write_parquet(episodes, self.path / "episodes.parquet")
        # A part without its section was broken off, and is no part of this card.
        if whole := [
            z for z in sorted(self.parts.glob("*.zip")) if z.with_suffix(".json").exists()
        ]:
            try:
                found[RECORDS] = stored.merge(whole, self.path / RECORDS)
            except OSError as error:
                raise CannotWrite(f"cannot write {self.path / RECORDS}: {error}.") from None
        found[manifest.FILE] = self._listed(found)
        if not card.partial:
            shutil.rmtree(self.parts, ignore_errors=True)
        if latest:
            self._latest()
        return found

    def _listed(self, written: Mapping[str, Path]) -> Path:
        """The list of the files with their hashes: what was written, and the spec beside it."""
        spec = self.path / SPEC
        files = {*written.values(), *((spec,) if spec.is_file() else ())}
        try:
            return self.write(manifest.FILE, manifest.text_of(files))
        except OSError as error:
            raise CannotWrite(f"cannot read back {self.path}: {error.strerror}.") from None

    def _recorded(self) -> dict[str, Record]:
        """All records in the order of their sections: of those that an earlier process measured,
        what it kept. A part that cannot be read is left out, here and by whoever scores it again.
        """
        numbers = {file.stem for file in self.parts.glob("*.json")}
        found: dict[str, Record] = {}
        for name in sorted(numbers):
            with contextlib.suppress(stored.BadRecords):
                mine = self._measured.get(name)
                found |= stored.read_part(self.parts / f"{name}.zip") if mine is None else mine
        return found

    def _latest(self) -> None:
        """`latest` beside the run points to it, where links can be made."""
        link = self.path.parent / "latest"
        with contextlib.suppress(OSError):
            if link.is_symlink() or not link.exists():
                temporary = self.path.parent / f".latest-{os.getpid()}"
                temporary.symlink_to(self.path.name)
                temporary.replace(link)


def _keep_records(
    target: Path, section: Section, records: Mapping[str, Record], setting: Setting
) -> None:
    prefix = f"{section.probe}/{section.world}/"
    mine = {name.removeprefix(prefix): record for name, record in records.items()}
    read = stored.sources(section.probe, setting)
    try:
        stored.write(target, section.probe, section.world, setting, mine, read)
    except OSError as error:
        raise CannotWrite(f"cannot write {target}: {error.strerror or error}.") from None


def write_whole(target: Path, text: str) -> Path:
    """Write a file whole or not at all. Raises `CannotWrite`."""
    try:
        target.parent.mkdir(exist_ok=True)
        handle, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
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


def release(held: int) -> None:
    """Let go of what `own` gave."""
    if held >= 0:
        os.close(held)


def own(path: Path) -> int:
    """A descriptor that holds the folder for this process, as long as it lives and no longer;
    -1 where there are no locks. Raises `FolderTaken`."""
    try:
        import fcntl
    except ImportError:  # no such thing on this system
        return -1
    held = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise FolderTaken(
            f"another process is running the exam in {path}. Wait for it, or end it first."
        ) from None
    except OSError:  # a file system without locks
        os.close(held)
        return -1
    return held


def _with_samples(section: Section, samples: Mapping[str, Sequence[float | None]]) -> Section:
    def valued(row: Measurement) -> Measurement:
        values = samples.get(row.name, ())
        return replace(row, samples=tuple(math.nan if x is None else x for x in values))

    return replace(section, measurements=tuple(map(valued, section.measurements)))


def sample_name(section: Section, row: Measurement) -> str:
    return f"{section.probe}/{section.world}/{row.name}"


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _next_free(agent: str) -> Path:
    short = agent.partition("@http")[0] if "://" in agent else agent
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(short).stem if "/" in short else short)
    number = 1
    while (path := Path("runs") / f"{slug.strip('-.') or 'agent'}-{number}").exists():
        number += 1
    return path
