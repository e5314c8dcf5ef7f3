"""A second process that kills the command if the guard dies without killing it.

It waits on a pipe. When the guard's end closes without a word, the guard is gone (`kill -9`, out of
memory), and what is left of the command is killed: the control group, or else its process group
and session. It ignores the signals of a terminal and loads nothing but a bare interpreter.

Caveat: who may kill the guard may kill this too. Without a control group, a child that left group
and session is not found any more.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import final

from freezetag.live.guard.cgroup import Cgroup

# Given: control group or "", then by pipe: the command's pid, "done" once nothing is left to kill.
_WATCH = """
import os, signal, sys, time
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
told = sys.stdin.read().split()
if "done" not in told and told:
    pid = int(told[0])
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if sys.argv[1]:
            try:
                with open(sys.argv[1] + "/cgroup.kill", "w") as file:
                    file.write("1")
            except OSError:
                pass
        left = 0
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
                if str(pid) in fields[2:4] and fields[0] not in "ZX":
                    left += 1
                    os.kill(int(name), signal.SIGKILL)
            except OSError:
                pass
        if not left:
            break
        time.sleep(0.005)
    while sys.argv[1] and time.monotonic() < end:
        try:
            os.rmdir(sys.argv[1])
            break
        except OSError:
            time.sleep(0.005)
"""


@final
class LastResort:
    """Armed from `watch` until `disarm`. Linux."""

    def __init__(self, cgroup: Cgroup | None) -> None:
        where = "" if cgroup is None else str(cgroup.path)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, where],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path("/"),
            start_new_session=True,
        )
        self.pid = self._process.pid

    def watch(self, pid: int) -> None:
        """The command that leads group and session `pid` is to be killed if we are gone."""
        self._tell(f"{pid}\n")

    def disarm(self) -> None:
        """Nothing is left to kill."""
        self._tell("done\n")
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it was killed; the guard itself still holds
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
