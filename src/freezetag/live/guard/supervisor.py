"""Runs a command for as long as a gate is open, and kills it with all it started when it closes.

The whole run is one action of the gate: admitted once, ended when no process of it is left. So the
supervisor has a lease of its own, and `STOPPED` is said only of an empty group (or, for category 2,
a frozen one). Tier 2 with a control group, below that where a process can leave its group.

Caveat: a request that was sent before the kill takes effect wherever it arrives.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, Protocol, final

from freezetag.core.errors import RunError, UserError
from freezetag.core.gate import Refused
from freezetag.live.gate.drain import Order
from freezetag.live.gate.gate import STOPPED, STOPPING, Gate
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.descendants import LINUX
from freezetag.live.guard.gate_watchdog import TICK, Pulse
from freezetag.live.guard.process_group import ProcessGroup
from freezetag.live.guard.second_killer import LastResort
from freezetag.live.guard.stop_command import run_stop_command
from freezetag.live.guard.systemd import notify, without

STOPPED_BY_GUARD = 124
"""The exit code of a guard that stopped its command, as `timeout` has it."""


class Held(UserError):
    """The gate did not open: pressed, without a lease, or not started; the text says which."""

    exit_code = STOPPED_BY_GUARD


class Host(Protocol):
    """Ticks the gate and moves its orders until closed (`GateHost`, `OwnHost`)."""

    def start(self) -> Any: ...
    def poke(self) -> None: ...
    def close(self, timeout: float = 5.0) -> None: ...


@final
class Supervisor:
    """One command under one gate. Give `obey` to the host as its `on_order`.

    `category` is what a stop without a demand of its own does: 0 kills, 1 runs `stop_command` for
    at most `drain` seconds while the command is frozen and then kills, 2 freezes. `alone` says that
    this process has no other children (see `ProcessGroup`). `lease` is how long the command may run
    while this process stands still. `missing` names the readings that nobody can take now, for a
    gate that does not open. `say` gets one line per event; it neither raises nor waits. `stopped`
    says why the command was stopped; it is empty while it runs, and if it ended by itself.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        category: int = 0,
        stop_command: Sequence[str] = (),
        drain: float = 5.0,
        lease: float = 5.0,
        alone: bool = False,
        cgroup: Cgroup | None = None,
        user: str = "",
        missing: Callable[[], str] = lambda: "",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.gate = gate
        self.group: ProcessGroup | None = None
        self._category, self._stop_command, self._drain = category, tuple(stop_command), drain
        self._alone, self._cgroup, self._user, self._say = alone, cgroup, user, say
        self._lease = lease
        self._last_resort = LastResort(cgroup, lease) if alone and LINUX else None
        self._spare = set() if self._last_resort is None else {self._last_resort.pid}
        self._missing = missing
        self._changed = threading.Event()
        self._lock = threading.RLock()  # no start while a kill looks for what to kill
        # No stop is carried out between an admission and the start, or going on, that it is for.
        # A kill does not wait for it.
        self._moving = threading.RLock()
        self._barred = self._held = self._unwatched = False
        self._killed = ""  # why
        self.stopped = ""
        self._number = 0
        self._signal = 0
        self._until = float("inf")
        self.gate_hangs = False
        self._pulse = Pulse(gate, drain)

    def run(
        self,
        command: Sequence[str],
        *,
        patience: float = 10.0,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
    ) -> int:
        """Runs `command` to its end or to a stop; its exit code, 124 if stopped, 128 + n for signal
        n to the guard.

        Raises `Held` if the gate does not open within `patience` seconds, and `UserError` for a
        command that cannot be started.
        """
        self.launch(command, patience=patience, stdin=stdin, stdout=stdout, counted=True)
        return self.wait()

    def launch(
        self,
        command: Sequence[str],
        *,
        patience: float = 10.0,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        counted: bool = True,
    ) -> ProcessGroup:
        """Starts `command` once the gate is open. Without `counted` the run itself is no action of
        the gate: for a server whose *calls* are."""
        self._await_lease(patience)
        with self._lock, self._moving:
            if counted:
                try:
                    self._number = self.gate.begin("run", detail={"command": list(command)})
                except Refused as refused:
                    raise Held(str(refused)) from None
            self._pulse.begin()  # before the command, which may leave no room for a thread
            try:
                if self._barred or not self.gate.is_open:
                    raise Held("stopped before the command was started.")
                self.group = ProcessGroup(
                    command,
                    cgroup=self._cgroup,
                    alone=self._alone,
                    user=self._user,
                    spare=self._spare,
                    stdin=stdin,
                    stdout=stdout,
                )
            except UserError:
                self.gate.end(self._number, "failed")
                self._pulse.end()
                raise
            if self._last_resort is not None:
                self._last_resort.watch(self.group.pid)
            self._say(f"RUNNING   pid {self.group.pid}")
        notify("READY=1")
        return self.group

    def wait(self) -> int:
        """Until nothing of the command is left, or it is stopped; the exit code as in `run`."""
        self._pulse.begin()
        try:
            return self._wait()
        finally:
            self._pulse.end()

    def stop_on(self, *signals: signal.Signals) -> None:
        """From now on these signals to this process kill the command and end `wait`.

        One that whoever started us had ignored (`nohup`, a job in the background) stays so.
        """
        for number in signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signalled)

    def wait_for_signal(self) -> None:
        """After a stop: until somebody tells the guard to end."""
        while not self._signal:
            self._changed.wait(TICK)
            self._changed.clear()

    def end_within(self, seconds: float) -> None:
        """The command should end by itself within `seconds`; then it is killed."""
        self._until = time.monotonic() + seconds

    def obey(self, order: Order) -> None:
        """Carries out an order of the gate; returns when it is done."""
        if order.kind == "kill":
            why = self.why()
            self._kill()
            self.gate.end(self._number, "failed")
            self._killed = why
            self.gate.killed()
        elif order.kind == "policy":
            self.gate.policy_done(self._run_stop_command(order.deadline))
        elif order.kind == "cancel":
            self._hold(order.n)
        self._changed.set()

    def why(self) -> str:
        """The reason of the present stop, in words."""
        reasons = [press.told for press in self.gate.presses]
        return "; ".join(reasons) or f"cause: {self.gate.cause}"

    def close(self) -> None:
        """Kills what is left, and gives the control group back."""
        self._kill()
        self._disarm()
        if self.group is not None:
            self.group.close()
        elif self._cgroup is not None:
            self._cgroup.remove()

    def _wait(self) -> int:
        assert self.group is not None
        told = idle = False
        while True:
            if time.monotonic() > self._until:
                self._signal = self._signal or signal.SIGTERM
            if self._signal:
                return self._end_by_signal()
            phase = self.gate.phase
            if self._pulse.is_lost(phase):
                return self._end_without_the_gate()
            if self._last_resort is not None:
                self._last_resort.beat()
                self._unwatched = self._last_resort.is_lost
            if self._unwatched and not self._barred:  # else a kill is under way
                return self._end_without_the_second()
            notify("WATCHDOG=1")
            if self._killed and phase != STOPPING:
                # Perhaps in its next incarnation already; the command is dead all the same.
                return self._over(f"{self._killed}; no process of it is left")
            if self._held and self.gate.is_open:
                self._resume()
            elif self._held and not self._barred and self.group.running():
                self._end_a_hold_that_does_not_hold()
                continue
            elif phase == STOPPED and not (self._held or idle):
                self._say(f"STOPPED   {self.why()}; nothing is in flight, the command is kept")
            idle = phase == STOPPED
            code = self.group.exit_code()
            if code is not None and phase != STOPPING:
                if self._is_over() and not self._barred:  # else a kill has just done that
                    self.gate.end(self._number, "done" if code == 0 else "failed")
                    return code
                if not told:
                    told = True
                    left = _pids(self.group.members())
                    self._say(f"the command ended with {code}, but left {left} running")
            self._changed.wait(TICK)
            self._changed.clear()

    def _await_lease(self, patience: float) -> None:
        end = time.monotonic() + patience
        while not self.gate.is_open:
            if self._signal:
                raise Held("told to end before the command was started.")
            if time.monotonic() > end:
                if self.gate.presses:  # an authority that has cleared them would have told us
                    raise Held(f"HELD by {self.why()}. A person has to reset it first.")
                if missing := self._missing():
                    raise Held(without_reading(missing))
                raise Held(
                    f"no lease within {patience:g} s: the authority is away, or {self.gate.name!r} "
                    "is not started there. Nothing was run."
                )
            self._changed.wait(0.005)

    def _demand(self) -> int:
        return min((press.category for press in self.gate.presses), default=self._category)

    def _kill(self) -> None:
        with self._lock:
            self._barred = True
            group = self.group
        if group is None:
            return
        started, told = time.monotonic(), 0.0
        while not (group.kill(seconds=min(1.0, self._lease / 4)) and self._is_over()):
            if self._last_resort is not None:
                self._last_resort.beat()
            waited = time.monotonic() - started
            if waited - told >= 1.0:
                told = waited
                self._say(f"STOPPING  {_pids(group.members())} not dead after {waited:.0f} s")

    def _is_over(self) -> bool:
        """Whether nothing of the command is left, as the kernel says and not a look at /proc.

        The second process is a child of ours too: it goes first, and comes back if there is more.
        """
        assert self.group is not None
        if not self.group.is_empty():
            return False
        if not self._spare:
            return True
        with self._lock:
            self._disarm()
            if self.group.is_empty():
                return True
            try:
                self._last_resort = LastResort(self._cgroup, self._lease)
            except RunError:  # what the command has started leaves room for no process
                self._last_resort, self._unwatched = None, True
                return False
            self._spare.add(self._last_resort.pid)
            self._last_resort.watch(self.group.pid)
        return False

    def _disarm(self) -> None:
        if self._last_resort is not None:
            self._last_resort.disarm()
        self._spare.clear()

    def _hold(self, number: int) -> None:
        with self._moving:
            group = self.group
            if group is None or number != self._number or self._held or self._demand() != 2:
                return
            if group.freeze():
                self._held = True
                self._say(f"STOPPED   {self.why()}; held: {_pids(group.members())} frozen")
                self.gate.end(number, "done")
            # What cannot be frozen is not held: the gate orders a kill once the drain is over.

    def _resume(self) -> None:
        assert self.group is not None
        with self._moving:
            try:
                self._number = self.gate.begin("run", detail={"resumed": self.group.pid})
            except Refused:
                return
            if not self.gate.is_open:  # stopped since; it was not let run
                self.gate.end(self._number, "failed")
                return
            self._held = False
            self.group.thaw()
            self._say(f"RUNNING   again, pid {self.group.pid}")

    def _end_by_signal(self) -> int:
        self._kill()
        self.gate.end(self._number, "failed")
        name = signal.Signals(self._signal).name
        self._over(f"the guard got {name}; no process of the command is left")
        return 128 + self._signal

    def _end_without_the_gate(self) -> int:
        """Nothing here may wait for the gate's lock."""
        self.gate_hangs = True
        self._kill()
        return self._over("the gate itself hangs; no process of the command is left")

    def _end_without_the_second(self) -> int:
        """Without it nobody would kill the command if we went; who ended it can end us as well."""
        self._kill()
        self.gate.end(self._number, "failed")
        return self._over(
            "the guard's second process was killed or frozen, or there was no room for it; "
            "no process of the command is left"
        )

    def _over(self, why: str) -> int:
        self.stopped = why
        self._say(f"STOPPED   {why}")
        return STOPPED_BY_GUARD

    def _end_a_hold_that_does_not_hold(self) -> None:
        """Somebody let a frozen command run (SIGCONT): what cannot be held is killed."""
        self._say("STOPPING  somebody let the held command run: it is killed")
        why = self.why()
        self._kill()
        self._killed = f"{why}, and let run by somebody while it was held"

    def _signalled(self, number: int, frame: object) -> None:
        self._signal = number
        self._changed.set()

    def _run_stop_command(self, deadline: float) -> list[str]:
        """The prepared stop, beside the frozen command; what it did, for the record."""
        with self._moving:
            if self.group is not None:
                self.group.freeze()
        seconds = min(self._drain, self.gate.left(deadline))
        self._say(f"STOPPING  {self.why()}; prepared stop command, at most {max(seconds, 0):.3g} s")
        pid = self.group.pid if self.group is not None else 0
        env = without(os.environ) | {"FREEZETAG_PID": str(pid), "FREEZETAG_WHY": self.why()}
        waited_for = self.group.waited_for if self.group is not None else None
        return run_stop_command(self._stop_command, seconds, env, waited_for)


def without_reading(missing: str) -> str:
    """What to say of a start without a reading."""
    return f"a reading is missing, so nothing was run: {missing}."


def _pids(pids: Sequence[int]) -> str:
    if not pids:
        return "what /proc does not show here"
    shown = ", ".join(map(str, pids[:5])) + (", …" if len(pids) > 5 else "")
    return f"{len(pids)} process{'' if len(pids) == 1 else 'es'} ({shown})"
