"""What the processes of one run share: a page of numbers, the clock, and how one is forked."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

_LIBC = ctypes.CDLL(None)
LENGTH = 0.4
"""Seconds of a lease in these runs."""
DRAIN = 0.3
AGENTS = ("a", "b")
AUTHORITIES = ("own", "other")

# What the store does at a COMMIT while `Controls.store` says so.
FINE, HANGS, FULL, EIO, FULL_AFTER, DIE_BEGIN, DIE_COMMIT, DIE_AFTER = range(8)
# What a link does; bits of `Controls.link`.
CUT, HOLD_UP, HOLD_DOWN, LOSE_UP, LOSE_DOWN, LATE, FLIP, SHUFFLE, DRIP = (1 << n for n in range(9))
RAISES = -1.0
"""What `Controls.power` says of a meter that cannot be asked."""


def now() -> float:
    """The clock of the oracle and of all its measurements."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@final
class Controls:
    """Faults that are switched on and off while everything runs; in memory that forks share.

    `changed` is readable as soon as a link is switched: who waits for that need not ask again and
    again.
    """

    def __init__(self) -> None:
        self.changed, self._tell = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._tell.setblocking(False)
        self._page = memoryview(mmap.mmap(-1, 4096)).cast("d")
        for agent in AGENTS:
            self.set_clock(agent, 1.0, 0.0)

    @property
    def store(self) -> int:
        return int(self._page[0])

    @store.setter
    def store(self, fault: int) -> None:
        self._page[0] = fault

    @property
    def wall(self) -> float:
        """Seconds by which the server's date is off."""
        return self._page[1]

    @wall.setter
    def wall(self, seconds: float) -> None:
        self._page[1] = seconds

    def power(self, agent: str) -> float:
        return self._page[10 + AGENTS.index(agent)]

    def set_power(self, agent: str, value: float) -> None:
        self._page[10 + AGENTS.index(agent)] = value

    def seen(self, agent: str) -> float:
        """How many records its gate saw under a checkpoint."""
        return self._page[60 + AGENTS.index(agent)]

    def set_seen(self, agent: str, size: int) -> None:
        self._page[60 + AGENTS.index(agent)] = size

    def clock(self, agent: str) -> float:
        """The gate's own clock: the machine's, at another rate, or after a jump."""
        at = 20 + 3 * AGENTS.index(agent)
        rate, base, offset = self._page[at : at + 3]
        return offset + rate * (now() - base)

    def set_clock(self, agent: str, rate: float, jump: float) -> None:
        at = 20 + 3 * AGENTS.index(agent)
        here = self.clock(agent) if self._page[at] else now()
        self._page[at + 1], self._page[at + 2], self._page[at] = now(), here + jump, rate

    def link(self, agent: str, authority: str) -> int:
        return int(self._page[_link(agent, authority)])

    def set_link(self, agent: str, authority: str, bits: int) -> None:
        self._page[_link(agent, authority)] = bits
        with contextlib.suppress(BlockingIOError):  # it is full of news already
            self._tell.send(b"1")

    def close(self) -> None:
        self.changed.close()
        self._tell.close()


def _link(agent: str, authority: str) -> int:
    return 40 + 2 * AGENTS.index(agent) + AUTHORITIES.index(authority)


def fork(log: Path, work: Callable[..., None], *arguments: Any) -> int:
    """A child that does `work` and ends; what it complains of is appended to `log`."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        work(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def die_with_parent() -> None:
    """SIGKILL for this process as soon as its parent ends, however that ends."""
    _LIBC.prctl(1, signal.SIGKILL)
