"""A second process that kills the command if the guard dies, or stands still, without killing it.

It waits on a pipe for the guard's beats. When the guard's end closes without a word, the guard is
gone (`kill -9`, out of memory); when no beat comes for one lease, it is frozen (`SIGSTOP`, a
debugger). Then what the command has started is frozen and killed: the control group, all that hangs
below a frozen guard, and what was seen below one that is gone. It answers each beat, so that the
guard notices in turn if this process is frozen or killed. It ignores what signals it can and loads
nothing but a bare interpreter.

Caveat: who may kill the guard may kill this too. Without a control group, what the command started
outside its session in the last fifth of a second before the guard was killed is not found.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import final

from freezetag.core.errors import RunError
from freezetag.live.guard.cgroup import Cgroup

SHORTEST = 1.0
"""Seconds that a beat may take on a busy machine, where the lease is shorter."""

# Given: control group or "", seconds without a beat, the guard's pid. By pipe, a line each: "pid N"
# of the command, "beat", "done" once nothing is left to kill.
_WATCH = """
import os, select, signal, sys, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
cgroup, patience, guard = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
os.set_blocking(1, False)
leader, seen, looked = 0, {}, 0.0

def stat(pid):
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []

def dead(pid):
    # Where the first thread has ended, others may work on.
    fields = stat(pid)
    return not fields or (fields[0] in "ZX" and int(fields[17]) < 2)

def below(roots):
    there, ahead = {}, list(roots)
    while ahead:
        pid = ahead.pop()
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    for child in map(int, file.read().split()):
                        if child not in there and child != os.getpid():
                            there[child] = "".join(stat(child)[19:20])
                            ahead.append(child)
        except OSError:
            pass
    return there

def proc_is_ours():
    # Another namespace's shows others under our numbers.
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False

def group():
    # Whether any of the leader's group is there; SIGKILL to it.
    try:
        os.killpg(leader, signal.SIGKILL)
    except OSError:
        return []
    return [leader]

def left():
    # All that lives of it: what hangs below the guard, what was seen there, group and session.
    if not proc_is_ours():
        return [*group(), *inside()]
    there = below([guard]) if os.getppid() == guard else {}
    known = {pid for pid, since in seen.items() if since and stat(pid)[19:20] == [since]}
    there = set(there) | known | set(below(known))
    for name in filter(str.isdigit, os.listdir("/proc")):
        if str(leader) in stat(name)[2:4]:
            there.add(int(name))
    return [pid for pid in (there | inside()) - {os.getpid()} if not dead(pid)]

def inside():
    # What the control group holds: its kill leaves a process whose first thread has ended.
    there = set()
    for folder, _, files in os.walk(cgroup) if cgroup else ():
        try:
            with open(folder + "/cgroup.procs") as file:
                there.update(map(int, file.read().split()))
        except OSError:
            pass
    return there

def each(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass

def kill(end):
    still = 0
    while still < 2 and time.monotonic() < end:
        if cgroup:
            try:
                with open(cgroup + "/cgroup.kill", "w") as file:
                    file.write("1")
            except OSError:
                pass
        pids = left()
        still = 0 if pids else still + 1
        each(pids, signal.SIGSTOP)
        each(pids, signal.SIGKILL)
        time.sleep(0.002)

def remove(end):
    while cgroup and time.monotonic() < end:
        try:
            os.rmdir(cgroup)
            return
        except OSError:
            time.sleep(0.005)

text = b""
while True:
    if not select.select([0], [], [], patience if leader else None)[0]:
        # Perhaps both of us stood still: then its beat is on the way.
        if select.select([0], [], [], 0.3)[0]:
            continue
        kill(time.monotonic() + 3600)
        break
    data = os.read(0, 65536)
    if not data:
        if leader:
            kill(time.monotonic() + 10)
        remove(time.monotonic() + 10)
        break
    text += data
    *lines, text = text.split(b"\\n")
    if b"done" in lines:
        break
    for line in lines:
        if line.startswith(b"pid "):
            leader = int(line[4:])
    if leader and time.monotonic() - looked > 0.2:
        seen, looked = below([guard]) if proc_is_ours() else {}, time.monotonic()
    try:
        os.write(1, b".")
    except OSError:
        pass
"""


@final
class LastResort:
    """Armed from `watch` until `disarm`; `beat` it more often than each `lease` seconds. Linux.

    Raises `RunError` where no process can be started.
    """

    def __init__(self, cgroup: Cgroup | None, lease: float = 5.0) -> None:
        where = "" if cgroup is None else str(cgroup.path)
        self._patience = max(lease, SHORTEST)
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-c", _WATCH),
                    *(where, str(self._patience), str(os.getpid())),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=Path("/"),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise RunError(
                f"the guard's second process cannot be started: {error}. Without it nobody would "
                "kill the command if the guard died, so none runs."
            ) from None
        self.pid = self._process.pid
        self._watching = False
        self._heard = self._beat = 0.0
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)

    def watch(self, pid: int) -> None:
        """The command that leads group and session `pid` is to be killed if we are gone."""
        self._tell(f"pid {pid}\n")
        self._watching, self._heard = True, time.monotonic()

    def beat(self) -> None:
        """We are here. Never waits."""
        now = time.monotonic()
        if not self._watching or now - self._beat < self._patience / 20:
            return
        self._tell("beat\n")
        with contextlib.suppress(OSError):
            if os.read(self._from, 65536):
                self._heard = now
        if now - self._beat > self._patience and self._beat:
            self._heard = now  # it was we who stood still; it has as long again to answer
        self._beat = now

    @property
    def is_lost(self) -> bool:
        """It is dead or frozen, so that nobody would kill the command if we went now."""
        if not self._watching:
            return False
        late = time.monotonic() - self._heard > self._patience + SHORTEST
        return late or self._process.poll() is not None

    def disarm(self) -> None:
        """Nothing is left to kill. Twice is harmless."""
        if not self._process.stdin or self._process.stdin.closed:
            return
        self._watching = False
        self._tell("done\n")
        self._process.stdin.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:  # it is frozen
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # it was killed; the guard itself still holds
            os.write(self._to, line.encode())
