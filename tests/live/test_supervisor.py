"""The supervisor and its process group, without the command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.guards import EFFECTS, wait_for

from freezetag.core import Panel, PowerLimit, UserError
from freezetag.core.gate import Refused
from freezetag.core.journal import Journal, read
from freezetag.live.gate.clock import SteppedClock, boot_clock
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.local_host import OwnHost
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.own_authority import OwnAuthority
from freezetag.live.guard.process_group import ProcessGroup
from freezetag.live.guard.supervisor import Held, Supervisor

TREE = """
import os, sys, time
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(60)
        time.sleep(60)
time.sleep(60)
"""

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3)
    os._exit(0)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


@pytest.fixture(params=["group", "cgroup"])
def cgroup(request: pytest.FixtureRequest) -> Iterator[Cgroup | None]:
    if request.param == "group":
        yield None
        return
    made = Cgroup.create(f"freezetag-test-{os.getpid()}")
    if made is None:
        pytest.skip("this user may not make control groups")
    yield made
    made.remove()
    assert not made.path.exists()


def effects(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_freeze_thaw_kill(tmp_path: Path, cgroup: Cgroup | None) -> None:
    out = tmp_path / "effects"
    group = ProcessGroup(python(EFFECTS, str(out)), cgroup=cgroup)
    wait_for(lambda: effects(out) > 2)
    assert group.members() == [group.pid]
    assert group.freeze()
    before = effects(out)
    time.sleep(0.1)
    assert effects(out) == before
    group.thaw()
    wait_for(lambda: effects(out) > before)
    assert group.freeze()
    assert group.kill(2.0), "a frozen process is killed too"
    assert group.members() == []
    assert group.exit_code() == 128 + 9
    group.close()
    assert group.kill(0.5), "a thread that kills it too, and comes later, sees the end as well"


def test_a_whole_tree_is_seen_and_killed(cgroup: Cgroup | None) -> None:
    group = ProcessGroup(python(TREE), cgroup=cgroup)
    wait_for(lambda: len(group.members()) == 7)
    started = time.monotonic()
    assert group.kill(5.0)
    assert time.monotonic() - started < 4.0
    assert group.members() == []


def test_a_control_group_catches_who_leaves_everything_else(cgroup: Cgroup | None) -> None:
    """Without it, and without being alone, a daemon is lost; so it is not called contained."""
    group = ProcessGroup(python(DAEMON), cgroup=cgroup)
    wait_for(lambda: group.exit_code() is not None)
    assert len(group.members()) == (0 if cgroup is None else 1)
    assert group.kill(2.0)


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no-such-command-7"):
        ProcessGroup(["no-such-command-7"])
    with pytest.raises(UserError, match="no command"):
        ProcessGroup([])


power = [0.0]


def make(**options: object) -> tuple[Gate, Supervisor, list[str], OwnHost, list[bytes]]:
    lines: list[bytes] = []
    said: list[str] = []
    gate = Gate(
        Panel((PowerLimit(1.0),)),
        clock=SteppedClock(),
        enrolments=(),
        meters={"power": lambda: power[0]},
        name="agent",
        kills=True,
        journal=Journal(lines.append),
        category=int(options.get("category", 0)),  # type: ignore[call-overload]
        stop_policy=bool(options.get("stop_command")),
        poke=lambda: host.poke(),
    )
    supervisor = Supervisor(gate, say=said.append, **options)  # type: ignore[arg-type]
    host = OwnHost(gate, lambda text: None, on_order=supervisor.obey).start()
    return gate, supervisor, said, host, lines


def in_thread(run: Callable[[], int]) -> Callable[[], int]:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(run()))
    thread.start()

    def result() -> int:
        thread.join(20)
        return results[0]

    return result


def test_a_press_kills_and_the_run_was_one_action(tmp_path: Path) -> None:
    gate, supervisor, said, host, lines = make()
    out = tmp_path / "effects"
    code = in_thread(lambda: supervisor.run(python(EFFECTS, str(out))))
    wait_for(lambda: effects(out) > 2)
    assert gate.in_flight == 1
    gate.press("enough", who="ada")
    assert code() == 124
    assert said[-1] == "STOPPED   ada: enough; no process of it is left"
    before = effects(out)
    host.close()
    kinds = [(entry["kind"], entry.get("outcome")) for entry in read(lines)]
    assert kinds[-3:] == [("stop", None), ("end", "failed"), ("ack", None)]
    assert effects(out) == before


def test_hold_then_a_new_incarnation_thaws_and_is_a_new_action(tmp_path: Path) -> None:
    gate, supervisor, said, host, _ = make(category=2)
    out = tmp_path / "effects"
    code = in_thread(lambda: supervisor.run(python(EFFECTS, str(out))))
    wait_for(lambda: effects(out) > 2)
    power[0] = float("nan")  # a stop that is not a press
    wait_for(lambda: gate.phase == "stopped")
    assert "held: 1 process" in said[-1]
    before = effects(out)
    time.sleep(0.1)
    assert effects(out) == before
    power[0] = 0.0
    assert gate.reopen()
    wait_for(lambda: effects(out) > before)
    assert (gate.last, said[-1].split()[:2]) == (2, ["RUNNING", "again,"])
    gate.press("and now for good", category=0)
    assert code() == 124
    host.close()


def test_a_stop_between_admission_and_start_starts_nothing(tmp_path: Path) -> None:
    gate, supervisor, _, host, _ = make()
    begin = gate.begin

    def begin_and_stop(*arguments: object, **named: object) -> int:
        number = begin(*arguments, **named)  # type: ignore[arg-type]
        gate.press("at the worst moment")
        return number

    gate.begin = begin_and_stop  # type: ignore[method-assign, assignment]
    with pytest.raises(Held):
        supervisor.run(python(EFFECTS, str(tmp_path / "effects")))
    host.close()
    assert effects(tmp_path / "effects") == 0


def test_a_closed_gate_runs_nothing(tmp_path: Path) -> None:
    gate, supervisor, _, host, _ = make()
    gate.press("before")
    with pytest.raises(Held, match="local: before"):
        supervisor.run(python(EFFECTS, str(tmp_path / "effects")), patience=0.1)
    with pytest.raises(Refused):
        gate.check()
    host.close()
    assert effects(tmp_path / "effects") == 0


def test_a_gate_that_does_not_open_for_want_of_a_reading_is_told_so(tmp_path: Path) -> None:
    gate, _, _, host, _ = make()
    gate.close()
    supervisor = Supervisor(gate, missing=lambda: "--meter spent: there is no file")
    with pytest.raises(Held, match=r"a reading is missing, .*: --meter spent: there is no file"):
        supervisor.run(python(EFFECTS, str(tmp_path / "effects")), patience=0.1)
    host.close()
    assert effects(tmp_path / "effects") == 0


def test_a_child_that_outlives_the_command_keeps_the_guard(tmp_path: Path) -> None:
    gate, supervisor, said, host, _ = make()
    code = in_thread(lambda: supervisor.run(["sh", "-c", "sleep 0.4 & exit 3"]))
    wait_for(lambda: any("left 1 process" in line for line in said))
    assert gate.in_flight == 1
    assert code() == 3
    assert gate.in_flight == 0
    host.close()


def test_sigstop_of_the_command_does_not_save_it(tmp_path: Path) -> None:
    gate, supervisor, _, host, _ = make()
    out = tmp_path / "effects"
    code = in_thread(lambda: supervisor.run(python(EFFECTS, str(out))))
    wait_for(lambda: effects(out) > 2)
    assert supervisor.group is not None
    os.kill(supervisor.group.pid, signal.SIGSTOP)
    gate.press("stop")
    assert code() == 124
    host.close()


def test_other_children_of_the_process_are_left_alone() -> None:
    bystander = subprocess.Popen(["sleep", "30"])
    group = ProcessGroup(python(TREE))
    wait_for(lambda: len(group.members()) == 7)
    assert bystander.pid not in group.members()
    assert group.kill(5.0)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_an_authority_that_hangs_lets_the_lease_run_out(tmp_path: Path) -> None:
    """A store that hangs instead of failing: the answer to the second renewal never comes."""
    own = OwnAuthority(tmp_path / "own", "agent", length=0.6)
    answered = 0
    forever = threading.Event()

    def answer(text: str) -> str | None:
        nonlocal answered
        answered += 1
        if answered > 2:
            forever.wait(20)
            return None
        return own.answer(text)

    gate = Gate(Panel(), clock=boot_clock(), enrolments=[own.enrolment()], name="agent", kills=True)
    supervisor = Supervisor(gate)
    own.start({})
    host = OwnHost(gate, answer, on_order=supervisor.obey, length=0.6).start()
    out = tmp_path / "effects"
    assert supervisor.run(python(EFFECTS, str(out))) == 124
    assert gate.cause == "expired"
    before = effects(out)
    time.sleep(0.1)
    assert effects(out) == before
    forever.set()
    host.close()
    own.close()


def test_a_meter_that_hangs_under_the_gate_s_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freezetag.live.guard.gate_watchdog.PATIENCE", 0.5)
    hang, forever = threading.Event(), threading.Event()

    def meter() -> float:
        if hang.is_set():
            forever.wait(20)
        return 0.0

    gate = Gate(
        Panel((PowerLimit(1.0),)), clock=SteppedClock(), enrolments=(), meters={"power": meter}
    )
    said: list[str] = []
    supervisor = Supervisor(gate, say=said.append)
    out = tmp_path / "effects"
    code = in_thread(lambda: supervisor.run(python(EFFECTS, str(out))))
    wait_for(lambda: effects(out) > 2)
    hang.set()
    assert code() == 124
    assert "the gate itself hangs" in said[-1]
    before = effects(out)
    time.sleep(0.1)
    assert effects(out) == before
    forever.set()


def test_a_slow_authority_answers_the_newest_renewal(tmp_path: Path) -> None:
    """Answers take longer than the pause between questions; the gate opens all the same."""
    own = OwnAuthority(tmp_path / "own", "agent", length=0.4)

    def answer(text: str) -> str | None:
        time.sleep(0.12)
        return own.answer(text)

    gate = Gate(Panel(), clock=boot_clock(), enrolments=[own.enrolment()], name="agent")
    time.sleep(0.3)
    host = OwnHost(gate, answer, length=0.4).start()
    time.sleep(1.0)  # a queue of questions, if they were kept
    own.start({})
    wait_for(lambda: gate.is_open, limit=2.0)
    host.close()
    own.close()


def test_the_service_manager_hears_the_guard_and_never_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/tmp/freezetag-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        _, supervisor, _, host, _ = make()
        out = tmp_path / "environment"
        code = in_thread(lambda: supervisor.run(["sh", "-c", f"env > {out}; sleep 0.3"]))
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        assert code() == 0
        host.close()
    Path(address).unlink()
    assert "NOTIFY_SOCKET" not in out.read_text()


class Frozen:
    """A command that is only looked at: whether it may run."""

    pid, runs = 1, False

    def __init__(self, thawed: Callable[[], None] = lambda: None) -> None:
        self._thawed = thawed

    def freeze(self, seconds: float = 1.0) -> bool:
        self.runs = False
        return True

    def thaw(self) -> None:
        self._thawed()
        self.runs = True

    def members(self) -> list[int]:
        return [self.pid]


def resuming(at: str) -> tuple[Gate, Supervisor, Frozen]:
    """A held command that is let run on, while a press comes `at` the worst moment; the orders are
    carried out by threads of their own, as a host does."""
    gate = Gate(Panel(), clock=SteppedClock(), enrolments=(), category=2, kills=True)
    supervisor = Supervisor(gate, category=2)
    threads: list[threading.Thread] = []

    def press() -> None:
        gate.press("at the worst moment", category=2)
        for order in gate.take():
            threads.append(threading.Thread(target=supervisor.obey, args=(order,)))
            threads[-1].start()
        time.sleep(0.05)  # they get as far as they can

    command = Frozen(press if at == "thaw" else lambda: None)
    supervisor.group, supervisor._held = command, True  # type: ignore[assignment]
    begin = gate.begin

    def begin_and_stop(*arguments: object, **named: object) -> int:
        number = begin(*arguments, **named)  # type: ignore[arg-type]
        press()
        return number

    if at == "admission":
        gate.begin = begin_and_stop  # type: ignore[method-assign, assignment]
    supervisor._resume()
    for thread in threads:
        thread.join(5)
    return gate, supervisor, command


@pytest.mark.parametrize("at", ["admission", "thaw"])
def test_a_press_while_a_held_command_is_let_run_on_freezes_it(at: str) -> None:
    gate, supervisor, command = resuming(at)
    assert gate.phase == "stopped", "acknowledged: nothing is in flight"
    assert not command.runs
    assert supervisor._held


def test_without_a_press_a_held_command_runs_on() -> None:
    gate, supervisor, command = resuming("never")
    assert command.runs
    assert (gate.phase, gate.in_flight, supervisor._held) == ("open", 1, False)


def test_a_press_while_a_command_starts_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, supervisor, said, host, _ = make(category=2)

    def start(*arguments: object, **named: object) -> ProcessGroup:
        gate.press("at the worst moment", category=2)
        time.sleep(0.2)
        return ProcessGroup(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("freezetag.live.guard.supervisor.ProcessGroup", start)
    out = tmp_path / "effects"
    supervisor.launch(python(EFFECTS, str(out)))
    wait_for(lambda: gate.phase == "stopped", limit=2)
    assert "held: 1 process" in said[-1]
    before = effects(out)
    time.sleep(0.1)
    assert effects(out) == before
    supervisor.close()
    host.close()


def test_a_stop_command_has_what_the_drain_has_left(tmp_path: Path) -> None:
    """An order that comes late does not begin the drain anew."""
    _, supervisor, _, host, _ = make(stop_command=("sh", "-c", "sleep 5"), drain=4.0)
    begun = time.monotonic()
    (said,) = supervisor._run_stop_command(deadline=0.3)  # of a clock that stands at 0
    assert said == "stop command killed after 0.3 s"
    assert time.monotonic() - begun < 3
    (said,) = supervisor._run_stop_command(deadline=-1.0)
    assert "no time was left" in said
    host.close()
