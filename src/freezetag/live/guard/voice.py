"""What a guard says to people, which may fail without any consequence.

A stop does not wait for a terminal, a full disk or a reader that has gone: lines are written in the
order they were said by a thread that nobody waits for, but for a moment at the end.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from typing import final

MOST = 1000
"""Lines that wait for a reader; what is said beyond is counted and not kept."""
PARTING = 1.0
"""Seconds that the end waits for a slow reader."""


@final
class Voice:
    """Writes lines to a file descriptor; `None` (nobody listens) keeps quiet."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._lines: queue.Queue[str] = queue.Queue(MOST)
        self._lost = 0
        if fd is not None:
            threading.Thread(target=self._write, name="voice", daemon=True).start()

    def say(self, line: str) -> None:
        """Never raises and never waits."""
        if self._fd is None:
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Waits a moment for what was said last."""
        end = time.monotonic() + PARTING
        while self._lines.unfinished_tasks and self._fd is not None and time.monotonic() < end:
            time.sleep(0.005)

    def _write(self) -> None:
        assert self._fd is not None
        while True:
            data = f"guard: {self._lines.get()}\n".encode("utf-8", "backslashreplace")
            with contextlib.suppress(OSError):  # full, closed, gone: the stop does not depend on it
                while data:
                    data = data[os.write(self._fd, data) :]
            self._lines.task_done()


def hold_standard_streams() -> None:
    """Opens what of 0, 1 and 2 is closed on nothing, so that no file of ours gets its number and is
    taken for a terminal."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            made = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if made != number:
                os.dup2(made, number)
                os.close(made)
