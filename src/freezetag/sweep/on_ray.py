"""Cells on Ray: on a cluster that is there, or on one that Ray starts on this machine.

A cell goes out as its spec, with the user's files that the spec names, and comes back as the files
of its run folder, so that nothing need be shared but the installed packages. A process that Ray
loses is the outcome of the cell it was at. An interrupted cell begins anew.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from freezetag.core import UserError
from freezetag.core.errors import printable
from freezetag.exam.parquet import CannotWrite
from freezetag.exam.spec import Spec
from freezetag.report import schema
from freezetag.sweep.cell import Cell, Outcome
from freezetag.sweep.place import limited

CONNECT_SECONDS = 10.0


class NoRay(UserError):
    """Ray is not installed, or the cluster cannot be reached."""


@dataclass(frozen=True)
class OnRay:
    """Tasks of `threads` cores each, `jobs` at a time on a Ray of this machine's own; with an
    `address` as many as the cluster has cores for."""

    jobs: int
    threads: int
    address: str = ""

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise NoRay(
                "--on ray needs Ray, which is not installed. Install it with: "
                "pip install 'freezetag[cluster]', or leave --on out to run on this machine."
            )

    def __str__(self) -> str:
        where = f"Ray at {self.address}" if self.address else f"Ray, {self.jobs} at a time"
        return f"{where}, {self.threads} thread{'s' if self.threads > 1 else ''} each"

    @contextlib.contextmanager
    def outcomes(self, cells: Sequence[Cell], folder: Path) -> Iterator[Iterator[Outcome]]:
        ray = _started(self)
        try:
            task = ray.remote(num_cpus=self.threads, max_retries=0)(remote_cell)
            yield _outcomes(ray, task, cells, folder, self.threads)
        finally:
            ray.shutdown()


def _started(place: OnRay) -> Any:
    """Ray, connected. Raises `NoRay`."""
    # It would report its use to its makers, and freezetag sends nothing anywhere.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = importlib.import_module("ray")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    try:
        if place.address:
            _must_answer(place.address)
            ray.init(address=place.address, **options)
        else:
            # Another address in the environment is not what was asked for.
            cpus = place.jobs * place.threads
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **options)
    except Exception as error:
        said = printable(str(error).strip().partition("\n")[0])
        where = f"no Ray answers at {place.address}" if place.address else "Ray does not start"
        raise NoRay(
            f"{where}: {said or type(error).__name__}. Look with `ray status`, or leave --on out "
            "to run on this machine."
        ) from None
    return ray


def _must_answer(address: str) -> None:
    """Raises `OSError` where nothing listens at host:port: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


def _outcomes(
    ray: Any, task: Any, cells: Sequence[Cell], folder: Path, threads: int
) -> Iterator[Outcome]:
    running = {
        task.remote(cell.spec.to_toml(), _files_of(cell.spec), threads): cell for cell in cells
    }
    while running:
        (ready,), _ = ray.wait(list(running), num_returns=1)
        cell = running.pop(ready)
        try:
            answer = ray.get(ready)
        except Exception as error:
            last = str(error).strip().partition("\n")[0]
            yield Outcome(cell, reason=f"Ray lost its process: {printable(last)}")
            continue
        yield _kept(cell, answer, folder)


def _files_of(spec: Spec) -> dict[str, bytes]:
    """The user's files that the spec names by a relative path, to be sent along."""
    found = {}
    for line in spec.files:
        where = Path(line.rpartition(" ")[0])
        if not where.is_absolute() and where.is_file() and ".." not in where.parts:
            found[str(where)] = where.read_bytes()
    return found


def _kept(cell: Cell, answer: dict[str, Any], folder: Path) -> Outcome:
    """The outcome, with the files of its run folder written here. A folder that was begun here is
    replaced."""
    if reason := answer["reason"]:
        return Outcome(cell, reason=reason)
    made, target = folder / f".{cell.name}-new", folder / cell.name
    try:
        _emptied(made)
        _emptied(target)
        made.mkdir()
        for name, content in answer["files"].items():
            (made / Path(name).name).write_bytes(content)
        made.replace(target)
    except OSError as error:
        said = CannotWrite(f"cannot write {target}: {error.strerror or error}.")
        return Outcome(cell, reason=str(said), full=True)
    return Outcome(cell, schema.read_json(target))


def _emptied(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def remote_cell(spec: str, files: dict[str, bytes], threads: int) -> dict[str, Any]:
    """A cell, run where Ray put it: its files, or why there is no card."""
    os.environ.update(limited(threads))  # before JAX is imported
    from freezetag.sweep.cell import examine

    here, cell = Path.cwd(), Cell(Spec.from_toml(spec))
    # A spec without files of its own may still name modules beside whoever started Ray.
    os.chdir(_unpacked(tuple(sorted(files.items()))) if files else here)
    try:
        with tempfile.TemporaryDirectory(prefix="freezetag-cell-") as scratch:
            cells = Path(scratch)
            found = examine(cell, cells, _cache(), threads)
            if found.card is None or found.cut:
                return {"reason": found.reason or "its process was told to end", "files": {}}
            written = [file for file in (cells / cell.name).iterdir() if file.is_file()]
            return {"reason": "", "files": {file.name: file.read_bytes() for file in written}}
    finally:
        os.chdir(here)


@cache
def _unpacked(files: tuple[tuple[str, bytes], ...]) -> Path:
    """A folder that holds these files, the same for every cell in this process, so that what is
    compiled for them is known again."""
    home = Path(tempfile.mkdtemp(prefix="freezetag-files-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name, content in files:
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return home


@cache
def _cache() -> Any:
    """The processes of libraries, kept from one cell to the next in this process."""
    from freezetag.sim.workers import Cache

    return Cache()
