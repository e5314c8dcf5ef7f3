"""Commands that use up what a stop might need, or turn on the guard: it comes all the same."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import until
from tests.live.guards import EFFECTS, Guarded, wait_for

from freezetag.core import Panel
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.drain import Order
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.local_host import OwnHost
from freezetag.live.gate.remote_host import GateHost
from freezetag.live.guard import descendants


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


# Acts in as many processes as it gets, and takes each one's place that dies.
FILLS = f"""
import os, sys, time
if os.fork() == 0:
    os.setsid()
    while True:
        try:
            if os.fork() == 0:
                break
        except OSError:
            time.sleep(0.001)
exec({EFFECTS!r})
"""


@contextlib.contextmanager
def room_for(processes: int) -> Iterator[Path]:
    """A control group for so many processes and threads. Skips where none can be made."""
    for top in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
        group = top / f"freezetag-test-{os.getpid()}"
        try:
            group.mkdir()
            (group / "pids.max").write_text(str(processes))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        break
    else:
        pytest.skip("no control group that counts processes can be made here")
    try:
        yield group
    finally:
        end = time.monotonic() + 5
        while group.exists() and time.monotonic() < end:
            with contextlib.suppress(OSError):
                group.rmdir()
            time.sleep(0.01)


@pytest.mark.parametrize("bare", [True, False])
def test_a_command_that_fills_the_process_table_is_stopped_in_time(
    tmp_path: Path, bare: bool
) -> None:
    """Its kill waited for a thread that could not be started: it came ten seconds later."""
    with room_for(60) as group:
        guard = Guarded(
            tmp_path,
            command=(sys.executable, "-S", "-c", FILLS, str(tmp_path / "effects")),
            bare=bare,
            preexec_fn=lambda: (group / "cgroup.procs").write_text("0"),
        )
        wait_for(lambda: (group / "pids.current").read_text() == "60\n", guard)
        begun = time.time()
        guard.stop_file.touch()
        code, said = guard.ended()
        assert code == 124, said
        assert "no process of it is left" in said
        assert "hangs" not in said
        assert guard.is_silent()
        assert max(at for at, _ in guard.acted()) < begun + 4, "the lease is five seconds"


@pytest.mark.parametrize("host", ["own", "remote"])
def test_orders_are_carried_out_where_no_thread_can_be_started(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(Panel(), clock=SteppedClock(), enrolments=(), kills=True)
    kinds: list[str] = []

    def obey(order: Order) -> None:
        kinds.append(order.kind)
        if order.kind == "kill":
            gate.killed()

    made: Any = (
        OwnHost(gate, lambda text: None, on_order=obey)
        if host == "own"
        else GateHost(gate, [], on_order=obey, reopen=False)
    )
    made.start()
    gate.begin("act")
    until(lambda: gate.is_open)

    def no_room(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_room)
        gate.press("enough")
        until(lambda: gate.phase == "stopped" and sorted(kinds) == ["cancel", "kill"])
    made.close(1)


# Its first thread ends and another works on: by its letter in /proc it is dead. It is the command
# itself, a child in a session of its own, or one whose parent has ended.
HEADLESS = f"""
import ctypes, os, sys, threading, time

def works_on():
    code = {EFFECTS!r}
    threading.Thread(target=lambda: exec(code), daemon=True).start()
    number = {{"x86_64": 60, "aarch64": 93}}[os.uname().machine]  # exit, of this thread alone
    ctypes.CDLL(None).syscall(number, 0)

who = sys.argv[2]
if who == "itself":
    works_on()
elif os.fork() == 0:
    os.setsid()
    if who == "child" or os.fork() == 0:
        works_on()
else:
    time.sleep(600)
"""
WAYS = ("stopped", "held", "guard killed", "guard frozen")


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "who",
    [
        pytest.param("itself", marks=pytest.mark.slow),
        "child",
        pytest.param("orphan", marks=pytest.mark.slow),
    ],
)
def test_a_process_without_its_first_thread_is_not_taken_for_dead(
    tmp_path: Path, who: str, way: str, bare: bool
) -> None:
    """It was not held, and the second process did not kill it; `cgroup.kill` does not either."""
    on_stop = "hold" if way == "held" else "kill"
    guard = Guarded(
        tmp_path,
        *("--lease", "1s", "--on-stop", on_stop),
        command=(sys.executable, "-S", "-c", HEADLESS, str(tmp_path / "effects"), who),
        bare=bare,
    )
    guard.until_it_acts()
    time.sleep(0.5)  # the second process has seen it
    (pid,) = {pid for _, pid in guard.acted()}
    assert descendants.state(pid) == "Z"
    if way in ("stopped", "held"):
        guard.stop_file.touch()
    else:
        guard.process.send_signal(signal.SIGKILL if way == "guard killed" else signal.SIGSTOP)
    try:
        if way == "stopped":
            assert guard.ended()[0] == 124
            assert guard.is_silent()
        else:
            wait_for(guard.is_silent, limit=8)
        assert way == "held" or descendants.is_dead(pid)
        if way == "held":
            guard.process.terminate()
            said = guard.ended()[1]
            assert "held: " in said
            assert str(pid) in said
    finally:
        guard.process.send_signal(signal.SIGCONT)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


# A child stops the first thread of its parent by tracing it; the others work on.
TRACES = f"""
import ctypes, os, sys, threading, time

libc = ctypes.CDLL(None)
parent = os.getpid()
if os.fork() == 0:
    while not (os.path.exists(sys.argv[1]) and os.path.getsize(sys.argv[1])):
        time.sleep(0.01)
    time.sleep(0.3)  # its first thread sleeps by then, and lets the other run
    libc.prctl(1, 9)
    assert libc.ptrace(16, parent, 0, 0) == 0
    time.sleep(600)
code = {EFFECTS!r}
libc.prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # whoever wants may trace it
threading.Thread(target=lambda: exec(code), daemon=True).start()
time.sleep(600)
"""


def test_a_process_of_which_one_thread_is_stopped_is_not_taken_for_held(tmp_path: Path) -> None:
    guard = Guarded(
        tmp_path,
        *("--on-stop", "hold"),
        command=(sys.executable, "-S", "-c", TRACES, str(tmp_path / "effects")),
        bare=True,
    )
    guard.until_it_acts()
    (pid,) = {pid for _, pid in guard.acted()}
    wait_for(lambda: descendants.state(pid) == "t", guard)
    assert not guard.is_silent()
    guard.stop_file.touch()
    wait_for(guard.is_silent, guard, limit=10)
    guard.process.terminate()
    assert guard.ended()[0] == 128 + signal.SIGTERM
