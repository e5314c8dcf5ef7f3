"""Commands that use up what a stop might need, or turn on the guard: it comes all the same."""

from __future__ import annotations

import contextlib
import os
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
