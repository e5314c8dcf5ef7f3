"""A command and everything it starts: freeze it, kill it, say truly whether any of it is left.

Three nets. The command leads a session and process group of its own. On Linux the guard is made the
*subreaper* of all that descends from it, so that a child which leaves the group, or whose parent
dies, still hangs below the guard; that nothing is left is then the kernel's word and not a scan's.
Where a control group is allowed, nothing leaves that. If the guard itself is killed, the kernel
kills the command (`PR_SET_PDEATHSIG`), and `second_killer` what the command had started.

Caveat: what the command asks *others* to start (a service manager, cron, a container engine, ssh)
is not below it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, final

from freezetag.core.errors import UserError
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.descendants import (
    LINUX,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_PDEATHSIG,
    Process,
    below,
    childless,
    dead_child,
    is_dead,
    is_still,
    prctl,
    proc_is_ours,
    processes,
    reap,
)
from freezetag.live.guard.systemd import without

JOB_CONTROL = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
"""What a terminal pauses a job by. A guard ignores them; its command does not."""


@final
class ProcessGroup:
    """One running command with its descendants.

    `alone` says that the calling process exists for this command only: then *all* that hangs below
    it counts as the command's, also what has left the group, but for the children named in `spare`
    (a set that the caller may change). `user` runs it as another user (needs root). Raises
    `UserError` for a command that cannot be started.
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
        self.cgroup, self._spare = cgroup, spare
        self.waited_for: set[int] = set()  # children that somebody else takes in
        self.adopts = alone and LINUX and prctl(PR_SET_CHILD_SUBREAPER, 1)
        guard, person = os.getpid(), _person(user)
        env = without(os.environ)
        if person is not None:
            env |= {"HOME": person.pw_dir, "USER": user, "LOGNAME": user}

        def prepare() -> None:
            # In the child, before the command: caught from birth, and it dies with the guard.
            for number in JOB_CONTROL:
                signal.signal(number, signal.SIG_DFL)
            if cgroup is not None:
                cgroup.enter()
            if person is not None:
                os.setgroups([])
                os.setgid(person.pw_gid)
                os.setuid(person.pw_uid)
            if LINUX:  # after the change of user, which would clear it
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
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
        there = {process.pid for process in self._scan()}
        if self.cgroup is not None:
            with contextlib.suppress(OSError):
                if not self.cgroup.populated:
                    return sorted(there)
                ours = proc_is_ours()
                there |= {pid for pid in self.cgroup.members() if not (ours and is_dead(pid))}
        return sorted(there)

    def is_empty(self) -> bool:
        """Whether nothing of the command is left: a proof for a subreaper or in a control group.

        Elsewhere two looks in a row saw nothing. While one of `spare` lives the kernel's word is
        not to be had, and the looks have to do: end them, and ask again, before it is believed.
        """
        self.process.poll()
        if self.cgroup is not None:
            try:
                if self.cgroup.populated:
                    self.members()  # which reaps what is dead
                    return False
            except OSError:
                return False
        if self.adopts and childless():
            return True
        for _ in range(2):
            if self.members():
                return False
        self.process.poll()
        return not self.adopts or bool(self._spare) or childless()

    def freeze(self, seconds: float = 1.0) -> bool:
        """Stops every member where it is; True once two looks in a row saw none that can run."""
        if self.cgroup is not None:
            with contextlib.suppress(OSError):
                self.cgroup.freeze(seconds)
        end = time.monotonic() + seconds
        still = 0
        while still < 2:
            running = self.running()
            still = 0 if running else still + 1
            self._signal(running, signal.SIGSTOP)
            if time.monotonic() > end:
                return False
            if running:
                time.sleep(0.001)
        return True

    def running(self) -> list[int]:
        """The members that are not frozen."""
        return [pid for pid in self.members() if not self._is_still(pid)]

    def thaw(self) -> None:
        """Lets every member run on."""
        self._signal(self.members(), signal.SIGCONT)
        if self.cgroup is not None:
            self.cgroup.thaw()

    def kill(self, seconds: float = 0.0) -> bool:
        """SIGKILL to every member, again while there are any; True once it `is_empty`.

        Without `seconds` one round; call it again until it says True.
        """
        end = time.monotonic() + seconds
        while True:
            if self.cgroup is not None:
                with contextlib.suppress(OSError):
                    self.cgroup.kill()
            self._chase()
            left = self.members()
            # Stopped first: what stands still starts no children between two rounds.
            self._signal(left, signal.SIGSTOP)
            self._signal(left, signal.SIGKILL)
            self.process.poll()
            if not left and self.is_empty():
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.002)

    def _chase(self) -> None:
        """Kills what is quicker than a scan of /proc: looks only below us, again while it pays.

        A chain of processes that each live half a millisecond is caught in one of a few looks.
        """
        if not (self.adopts and proc_is_ours()):
            return
        me = {os.getpid()}
        for _ in range(50):
            there = below(me) - set(self._spare) - below(self._spare)
            self._signal(list(there), signal.SIGKILL)
            if all(map(is_dead, there)):
                return

    def close(self) -> None:
        """Forgets the group; what still runs in it runs on."""
        if self.cgroup is not None:
            self.cgroup.remove()

    def _is_still(self, pid: int) -> bool:
        if self.cgroup is not None:
            with contextlib.suppress(OSError):
                if self.cgroup._event("frozen") and pid in self.cgroup.members():
                    return True
        return proc_is_ours() and is_still(pid)

    def _signal(self, pids: Sequence[int], number: signal.Signals) -> None:
        if pids and not proc_is_ours():
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)
            pids = self.cgroup.members() if self.cgroup is not None else []
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    @property
    def _not_ours(self) -> set[int]:
        """Children whose end somebody else takes in."""
        return {self.pid, *self.waited_for, *self._spare}

    def _scan(self) -> Iterator[Process]:
        """Living members, by group, session and descent."""
        if not proc_is_ours():
            # The dead that we adopted count in their group until they are taken in.
            while self.adopts and (dead := dead_child()) not in {0, *self._not_ours}:
                reap(dead)
            # Its number is not taken again while a member of its group lives.
            with contextlib.suppress(OSError):
                if self.adopts and childless():
                    return
                os.killpg(self.pid, 0)
                yield Process(self.pid, "R", os.getpid(), self.pid, self.pid, 1)
            return
        me = os.getpid()
        there = list(processes())
        tree = {me} if self.adopts else {self.pid}
        grew = True
        while grew:
            more = {p.pid for p in there if p.parent in tree} - tree
            tree |= more
            grew = bool(more)
        for process in there:
            ours = self.pid in (process.group, process.session) or process.pid in tree
            if not ours or process.pid == me or process.pid in self._spare:
                continue
            if process.is_dead:
                if process.parent == me and process.pid not in self._not_ours:
                    reap(process.pid)  # adopted: nobody else does
                continue
            yield process


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


ELSEWHERE = {
    **dict.fromkeys(("docker", "podman", "nerdctl"), "the container engine"),
    **dict.fromkeys(("kubectl", "oc"), "the cluster"),
    **dict.fromkeys(("ssh", "mosh"), "the other host"),
    **dict.fromkeys(("systemd-run", "machinectl"), "the service manager"),
    **dict.fromkeys(("at", "batch", "crontab"), "the scheduler"),
    **dict.fromkeys(("tmux", "screen"), "its server, if one runs already"),
}
"""Commands whose work is done by a process that is not below them, and by whose."""


def elsewhere(command: Sequence[str]) -> str:
    """What to say of a command that has its work done elsewhere; "" for any other."""
    name = Path(command[0]).name if command else ""
    if name not in ELSEWHERE:
        return ""
    return (
        f"what {name} has started runs under {ELSEWHERE[name]} and is not stopped with it: put "
        f"`freezetag guard -- CMD` inside, around the command that {name} starts"
    )


def _person(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user) if user else None
    except KeyError:
        raise UserError(f"there is no user {user!r} on this machine.") from None
