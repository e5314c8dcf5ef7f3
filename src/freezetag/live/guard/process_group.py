"""A command and everything it starts: freeze it, kill it, say truly whether any of it is left.

Three nets. The command leads a session and process group of its own. On Linux the guard is made the
*subreaper* of all that descends from it, so that a child which leaves the group, or whose parent
dies, still hangs below the guard and is found. Where a control group is allowed, nothing leaves
that. If the guard itself is killed, the kernel kills the command (`PR_SET_PDEATHSIG`), and
`second_killer` what the command had started.

Caveat: what the command asks *others* to start (a service manager, cron, a container engine, ssh)
is not below it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, final

from freezetag.core.errors import UserError
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.systemd import without

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"


class _Process(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int


@final
class ProcessGroup:
    """One running command with its descendants.

    `alone` says that the calling process exists for this command only: then *all* that hangs below
    it counts as the command's, also what has left the group, but for the children named in `spare`.
    `user` runs it as another user (needs root). Raises `UserError` for a command that cannot be
    started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cgroup: Cgroup | None = None,
        alone: bool = False,
        user: str = "",
        spare: Collection[int] = (),
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
    ) -> None:
        startable(command, user)
        self.cgroup, self._spare = cgroup, frozenset(spare)
        self.adopts = alone and LINUX and _prctl(PR_SET_CHILD_SUBREAPER, 1)
        guard, person = os.getpid(), _person(user)
        env = without(os.environ)
        if person is not None:
            env |= {"HOME": person.pw_dir, "USER": user, "LOGNAME": user}

        def prepare() -> None:
            # In the child, before the command: caught from birth, and it dies with the guard.
            if cgroup is not None:
                cgroup.enter()
            if person is not None:
                os.setgroups([])
                os.setgid(person.pw_gid)
                os.setuid(person.pw_uid)
            if LINUX:  # after the change of user, which would clear it
                _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != guard:
                    os._exit(125)

        try:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                list(command),
                stdin=stdin,
                stdout=stdout,
                env=env,
                bufsize=0,
                start_new_session=True,
                preexec_fn=prepare,
            )
        except OSError as error:
            raise UserError(f"{command[0]!r} cannot be started: {error.strerror}.") from None
        except (ValueError, subprocess.SubprocessError) as error:
            raise UserError(f"{command[0]!r} cannot be started: {error}") from None
        self.pid = self.process.pid

    def exit_code(self) -> int | None:
        """The command's exit code, 128 + n for signal n; None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def members(self) -> list[int]:
        """Processes of the command that are alive (frozen ones are; zombies are not)."""
        found = {process.pid for process in self._scan()}
        if self.cgroup is not None:
            with contextlib.suppress(OSError):
                if not self.cgroup.populated:
                    return sorted(found)
                found |= {pid for pid in self.cgroup.members() if _state(pid) not in ("", "Z")}
        return sorted(found)

    def freeze(self, seconds: float = 1.0) -> bool:
        """Stops every member where it is; True once none of them can run."""
        if self.cgroup is not None:
            with contextlib.suppress(OSError):
                self.cgroup.freeze(seconds)
        end = time.monotonic() + seconds
        while running := [pid for pid in self.members() if not self._is_still(pid)]:
            self._signal(running, signal.SIGSTOP)
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def thaw(self) -> None:
        """Lets every member run on."""
        self._signal(self.members(), signal.SIGCONT)
        if self.cgroup is not None:
            self.cgroup.thaw()

    def kill(self, seconds: float = 0.0) -> bool:
        """SIGKILL to every member, again while there are any; True once none is left.

        Without `seconds` one round; call it again until it says True.
        """
        end = time.monotonic() + seconds
        while True:
            if self.cgroup is not None:
                with contextlib.suppress(OSError):
                    self.cgroup.kill()
            left = self.members()
            # Stopped first: what stands still starts no children between two rounds.
            self._signal(left, signal.SIGSTOP)
            self._signal(left, signal.SIGKILL)
            self.process.poll()
            if not left:
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.002)

    def close(self) -> None:
        """Forgets the group; what still runs in it runs on."""
        if self.cgroup is not None:
            self.cgroup.remove()

    def _is_still(self, pid: int) -> bool:
        if self.cgroup is not None:
            with contextlib.suppress(OSError):
                if self.cgroup._event("frozen") and pid in self.cgroup.members():
                    return True
        return _state(pid) in ("T", "t", "Z", "X", "")

    def _signal(self, pids: Sequence[int], number: signal.Signals) -> None:
        if not LINUX:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def _scan(self) -> Iterator[_Process]:
        """Living members, by group, session and descent."""
        if not LINUX:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, 0)
                yield _Process(self.pid, "R", os.getpid(), self.pid, self.pid)
            return
        me = os.getpid()
        processes = list(_processes())
        below = {me} if self.adopts else {self.pid}
        grew = True
        while grew:
            more = {p.pid for p in processes if p.parent in below} - below
            below |= more
            grew = bool(more)
        for process in processes:
            ours = self.pid in (process.group, process.session) or process.pid in below
            if not ours or process.pid == me or process.pid in self._spare:
                continue
            if process.state in "ZX":
                if process.parent == me and process.pid != self.pid:
                    with contextlib.suppress(OSError):  # adopted: nobody else reaps it
                        os.waitpid(process.pid, os.WNOHANG)
                continue
            yield process


def _processes() -> Iterator[_Process]:
    for folder in os.scandir("/proc"):
        if folder.name.isdigit() and (found := _stat(int(folder.name))):
            yield found


def _stat(pid: int) -> _Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too.
    state, parent, group, session, *_ = text.rpartition(")")[2].split()
    return _Process(pid, state, int(parent), int(group), int(session))


def _state(pid: int) -> str:
    found = _stat(pid)
    return found.state if found else ""


def startable(command: Sequence[str], user: str = "") -> None:
    """Raises `UserError` for a command or user that is wrong already before anything is started."""
    if not command:
        raise UserError("no command was given. Write it after two dashes: guard -- CMD.")
    if _person(user) is not None and os.geteuid() != 0:
        raise UserError(f"to run a command as {user} the guard has to be started by root.")
    if shutil.which(command[0]) is None:
        raise UserError(
            f"{command[0]!r} cannot be started: there is no such command, or it is not executable."
        )


def _person(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user) if user else None
    except KeyError:
        raise UserError(f"there is no user {user!r} on this machine.") from None


def _libc() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None


_PRCTL = _libc() if LINUX else None


def _prctl(option: int, value: int) -> bool:
    return _PRCTL is not None and _PRCTL(option, value, 0, 0, 0) == 0
