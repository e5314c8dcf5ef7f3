"""The process behind an MCP server's pipes, whose end is seen although others hold the pipes."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import final

LOOK, LAST = 0.25, 0.2
"""Seconds between looks where the kernel cannot tell of an end, and for what is left in a pipe."""


@final
class Process:
    """`pid` is a child of this process; `code` gives its exit code, 128 + n for signal n, None
    while it runs. `close` it once nobody waits for it."""

    def __init__(self, pid: int, code: Callable[[], int | None]) -> None:
        self._code = code
        self._end = float("inf")
        try:
            self._pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError):  # no Linux, an old one, or it has ended
            self._pidfd = -1

    def exit_code(self, seconds: float = 0.0) -> int | None:
        """Its exit code; `seconds` is how long to wait for it."""
        end = time.monotonic() + seconds
        while (code := self._code()) is None and time.monotonic() < end:
            time.sleep(0.005)
        return code

    def read(self, source: int, most: int) -> bytes:
        """What comes next from `source`; nothing once it is closed, or the process has ended and
        what it had written is read."""
        poll = select.poll()
        poll.register(source, select.POLLIN)
        if self._pidfd >= 0:
            poll.register(self._pidfd, select.POLLIN)
        while True:
            ready = {handle for handle, _ in poll.poll(LOOK * 1000)}
            ended = self._pidfd in ready or (self._pidfd < 0 and self._code() is not None)
            now = time.monotonic()
            if ended:  # others that hold its pipe may go on writing for ever
                self._end = min(self._end, now + LAST)
            if source in ready and now <= self._end:
                return os.read(source, most)
            if ended:
                return b""

    def close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
