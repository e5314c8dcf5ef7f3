"""A child process that ends with its parent, however that ends and whatever the child is doing.

The parent holds the writing end of a pipe and never writes. When it is gone, by SIGKILL too, the
pipe hangs up, and the kernel kills the child's process group: a child that computes without end
never looks at its channel, and one in C code runs no thread of Python's. A signal at the parent's
death (PR_SET_PDEATHSIG) would come when the thread ends that started the child, which is earlier.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
from typing import Any

SIGNAL = getattr(fcntl, "F_SETSIG", None)
"""Linux alone lets a pipe send another signal than SIGIO; elsewhere a thread waits for its end."""


def wear(leash: int) -> None:
    """In the child, a leader of its process group: the group ends when the other end of `leash`,
    a pipe's reading end, is closed."""
    os.set_inheritable(leash, False)
    if SIGNAL is None:
        threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
        return
    call: Any = fcntl.fcntl
    call(leash, fcntl.F_SETOWN, -os.getpgrp())
    call(leash, SIGNAL, signal.SIGKILL)
    call(leash, fcntl.F_SETFL, call(leash, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([leash], [], [], 0)[0]:  # it hung up before
        _end_with(leash)


def _end_with(leash: int) -> None:
    os.read(leash, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)
