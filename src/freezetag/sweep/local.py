"""Cells on processes of this machine: each process takes one after the other.

A process that ends without an answer (killed by the kernel for its memory, crashed in machine code)
is the outcome of the cell it was at; another takes its place. The processes are in sessions of
their own, so that Ctrl-C is answered here: they are told to end, keep what they measured, and are
killed if they do not.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from freezetag.core.errors import printable
from freezetag.report import schema
from freezetag.sweep.cell import Cell, Outcome
from freezetag.sweep.place import environment

GRACE = 10.0
"""Seconds that a process has to keep what it measured, once it was told to end."""
TOLD = 130
"""Exit code of a process that was told to end."""
_CRASHED = "A library's machine code crashed, or another program ended it."


@dataclass(frozen=True)
class Local:
    """So many `jobs`, processes of so many `threads` each."""

    jobs: int
    threads: int

    def __str__(self) -> str:
        processes = "1 local process" if self.jobs == 1 else f"{self.jobs} local processes"
        return f"{processes} of {self.threads} thread{'s' if self.threads > 1 else ''}"

    @contextlib.contextmanager
    def outcomes(self, cells: Sequence[Cell], folder: Path) -> Iterator[Iterator[Outcome]]:
        waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
        for cell in cells:
            waiting.put(cell)
        done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        hands = [_Hand(self.threads, folder) for _ in range(min(self.jobs, len(cells)))]
        for hand in hands:
            threading.Thread(target=hand.work, args=(waiting, done), daemon=True).start()
        try:
            yield (_next(done) for _ in cells)
        finally:
            _end(hands)


def _next(done: queue.SimpleQueue[Outcome | BaseException]) -> Outcome:
    while True:
        # In slices: a wait without an end is not interrupted by Ctrl-C on every system.
        with contextlib.suppress(queue.Empty):
            found = done.get(timeout=1.0)
            if isinstance(found, BaseException):
                raise found
            return found


def _end(hands: Sequence[_Hand]) -> None:
    until = time.monotonic() + GRACE
    for hand in hands:
        hand.stop()
    try:
        for hand in hands:
            hand.wait(until - time.monotonic())
    finally:
        for hand in hands:
            hand.kill()


class _Hand:
    """One process, and the thread that gives it cells."""

    def __init__(self, threads: int, folder: Path) -> None:
        self._threads = threads
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def work(
        self,
        waiting: queue.SimpleQueue[Cell],
        done: queue.SimpleQueue[Outcome | BaseException],
    ) -> None:
        """Until nothing waits any more, or `stop` is called."""
        try:
            while not self._stopped:
                try:
                    cell = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put(self._ask(cell))
        except BaseException as error:
            done.put(error)

    def _ask(self, cell: Cell) -> Outcome:
        with self._lock:
            if self._stopped:
                return Outcome(cell, cut=True)
            if self._process is None:
                self._start()
            process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        line = ""
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps({"spec": cell.spec.to_toml()}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        if line.endswith("\n") and not (answer := json.loads(line))["cut"]:
            return _outcome(cell, answer, self._folder)
        code = process.wait()
        with self._lock:
            self._process = None
        if self._stopped:
            return Outcome(cell, cut=True)
        return Outcome(cell, reason=f"its process {how_it_ended(code)} {self._said()}".strip())

    def _start(self) -> None:
        if self._errors is not None:
            self._errors.close()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "freezetag.sweep.worker", str(self._folder), str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(self._threads),
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def _said(self) -> str:
        """The last line that it wrote to standard error."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", "replace").strip()
        return printable(text.rpartition("\n")[2], 300)

    def stop(self) -> None:
        """Tell the process to keep what it measured, and to end."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                with contextlib.suppress(OSError):
                    self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Until it has ended, at most so long."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(seconds, 0.0))

    def kill(self) -> None:
        """End the process, and collect it."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for stream in (process.stdin, process.stdout) if process is not None else ():
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        if self._errors is not None:
            self._errors.close()


def how_it_ended(code: int) -> str:
    """An exit code of a process that should not have ended, in words."""
    if code == TOLD:
        return "was told to end by another program (SIGTERM). What it measured is kept."
    if code == -signal.SIGKILL:
        return (
            "was killed (SIGKILL). That is what the kernel does when memory runs out: take fewer "
            "--jobs, or a smaller --size."
        )
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}. {_CRASHED}"
    return f"ended by itself with code {code}."


def _outcome(cell: Cell, answer: dict[str, Any], folder: Path) -> Outcome:
    """What the process said, with the card that it wrote."""
    if reason := answer.get("reason"):
        return Outcome(cell, reason=str(reason), full=bool(answer.get("full")))
    return Outcome(cell, schema.read_json(folder / cell.name))
