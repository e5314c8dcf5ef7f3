"""What descends from a process: looking for it, and the kernel's word that nothing is left.

A scan of /proc is a search and no proof: what forks and exits between two reads is in none of them.
The proof is a subreaper's. All that outlives its parent becomes its child, so once the kernel says
that it has no child (`waitid` fails with ECHILD), nothing of the tree lives anywhere.
Sources: prctl(2), PR_SET_CHILD_SUBREAPER; waitid(2); proc(5), /proc/pid/task/tid/children.

Caveat: only a process whose every child belongs to the tree may read ECHILD so. A process that
`clone` made without SIGCHLD counts too (`__WALL`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_WALL = 0x40000000
DEAD = "ZX"
GONE = (errno.ENOENT, errno.ESRCH)


class Process(NamedTuple):
    """One line of /proc; `state` is the first thread's, a letter of proc(5)."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    threads: int

    @property
    def is_dead(self) -> bool:
        """No thread of it is left: where its first has ended, others may work on."""
        return self.state in DEAD and self.threads < 2


def prctl(option: int, value: int) -> bool:
    """Whether the kernel did it; never on anything but Linux."""
    return _PRCTL is not None and _PRCTL(option, value, 0, 0, 0) == 0


def _libc() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None


_PRCTL = _libc() if LINUX else None


def proc_is_ours() -> bool:
    """Whether /proc shows this process under its own number.

    An empty one shows nothing, and one of another process namespace shows other processes under
    our numbers: whoever signalled by it would hit bystanders and miss the agent.
    """
    try:
        return LINUX and str(Path("/proc/self").readlink()) == str(os.getpid())
    except OSError:
        return False


def childless() -> bool:
    """The kernel's word: this process has no child, alive or dead."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WALL)
    except ChildProcessError:
        return True
    return False


def dead_child() -> int:
    """A dead child of this process that nobody has taken in yet, as the kernel says; 0 if none."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WALL)
    except ChildProcessError:
        return 0
    return found.si_pid if found else 0


def reap(pid: int) -> None:
    """Takes in a dead child that nobody else waits for."""
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG | _WALL)


def processes() -> Iterator[Process]:
    """All that /proc shows."""
    with contextlib.suppress(OSError):
        for folder in os.scandir("/proc"):
            if folder.name.isdigit() and (process := stat(int(folder.name))):
                yield process


def stat(pid: int) -> Process | None:
    """That process; None if it is not there."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too.
    state, *rest = text.rpartition(")")[2].split()
    parent, group, session = map(int, rest[:3])
    return Process(pid, state, parent, group, session, int(rest[16]))


def state(pid: int) -> str:
    """Its first thread's letter in proc(5); "" if it is not there."""
    process = stat(pid)
    return process.state if process else ""


def is_dead(pid: int) -> bool:
    """Nothing of it is left but, perhaps, what nobody has taken in."""
    process = stat(pid)
    return process is None or process.is_dead


def is_still(pid: int) -> bool:
    """No thread of it can run: each is stopped or over. A tracer stops one and lets others run."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError as error:
        return error.errno in GONE
    return all(_is_still(thread / "stat") for thread in threads)


def _is_still(file: Path) -> bool:
    try:
        text = file.read_text(errors="replace")
    except OSError as error:
        return error.errno in GONE
    return text.rpartition(")")[2].split()[0] in DEAD + "Tt"


def below(roots: Iterable[int]) -> set[int]:
    """What descends from `roots`, by a quick look at the children of each; without them."""
    seen: set[int] = set()
    ahead = list(roots)
    while ahead:
        for child in children(ahead.pop()):
            if child not in seen:
                seen.add(child)
                ahead.append(child)
    return seen


def children(pid: int) -> set[int]:
    """Of every thread of it; a kernel without the file (CONFIG_PROC_CHILDREN) shows none."""
    there: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                there.update(map(int, Path(thread.path, "children").read_text().split()))
    return there
