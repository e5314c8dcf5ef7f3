"""A control group (v2) of one's own: nothing that runs in it can leave it by forking.

Linux, where the caller may make a group below its own: root, or a delegated one
(`systemd-run --user --scope -p Delegate=yes`). Source: the kernel's cgroup-v2 document, sections
"cgroup.freeze" and "cgroup.kill" (Linux 5.14).

Caveat: root, or whoever may write into the parent group, can move a process out again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import final

_NEEDED = ("cgroup.freeze", "cgroup.kill", "cgroup.events", "cgroup.procs")


@final
class Cgroup:
    """A group at `path`. Make one with `create`; `OSError` where the kernel refuses a step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, name: str) -> Cgroup | None:
        """A fresh empty group below the caller's own, or None where that is not allowed."""
        parent = _own()
        if parent is None:
            return None
        path = parent / name
        try:
            path.mkdir()
        except OSError:
            return None
        if all(os.access(path / file, os.W_OK | os.R_OK) for file in _NEEDED[:-2]) and all(
            os.access(path / file, os.R_OK) for file in _NEEDED
        ):
            return cls(path)
        with contextlib.suppress(OSError):
            path.rmdir()
        return None

    def enter(self) -> None:
        """Moves the calling process in; what it starts from then on is in the group too."""
        (self.path / "cgroup.procs").write_text("0")

    def freeze(self, seconds: float = 1.0) -> bool:
        """Stops every process in the group; True once the kernel says that all are frozen."""
        (self.path / "cgroup.freeze").write_text("1")
        end = time.monotonic() + seconds
        while not self._event("frozen"):
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def thaw(self) -> None:
        (self.path / "cgroup.freeze").write_text("0")

    def kill(self) -> None:
        """SIGKILL to every process in the group and below it, forks under way included.

        Caveat: a process whose first thread has ended lives through it (seen on Linux 6.18), so
        whoever means all of them also kills the `members` one by one.
        """
        (self.path / "cgroup.kill").write_text("1")

    @property
    def populated(self) -> bool:
        """Whether a process, even a dead one that nobody has reaped, is in it or below it.

        A group that is gone is empty: the kernel removes none with a process in it.
        """
        try:
            return self._event("populated")
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return False
            raise

    def members(self) -> list[int]:
        found: list[int] = []
        for file in (self.path / "cgroup.procs", *self.path.rglob("*/cgroup.procs")):
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in file.read_text().split()]
        return found

    def remove(self, seconds: float = 1.0) -> None:
        """Takes the group away once the last dying process has left it, and groups made in it."""
        end = time.monotonic() + seconds
        while self.path.exists():
            folders = [file.parent for file in self.path.rglob("*/cgroup.procs")]
            for folder in (*sorted(folders, reverse=True), self.path):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if time.monotonic() > end:
                return
            time.sleep(0.002)

    def _event(self, name: str) -> bool:
        return f"{name} 1" in (self.path / "cgroup.events").read_text().splitlines()


def _own() -> Path | None:
    """The folder of the caller's own group in the v2 hierarchy, wherever that is mounted."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:] for line in groups if line.startswith("0::")), None)
    for line in mounts:
        fields, _, kind = line.partition(" - ")
        if own is not None and kind.startswith("cgroup2 "):
            root, point = fields.split()[3:5]
            inside = own if root == "/" else own.removeprefix(root)
            return Path(point) / inside.strip("/")
    return None
