"""A guard without a control group, and what would get away from it or make it stand still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.guards import EFFECTS, ESCAPED, Guarded, wait_for

from freezetag.live.guard import descendants, process_group
from freezetag.live.guard.process_group import ProcessGroup, elsewhere

# Each generation lives for some milliseconds: it acts, forks, leaves session and parent, and exits.
CHAIN = """
import os, sys, time
pause, stays = float(sys.argv[2]), sys.argv[3] == "stays"
if stays and os.fork():
    time.sleep(600)
while True:
    with open(sys.argv[1], "a") as file:
        file.write(f"{time.time()} {os.getpid()}\\n")
    time.sleep(pause)
    if os.fork():
        os._exit(0)
    os.setsid()
"""


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


def chain(folder: Path, pause: float, how: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", CHAIN, str(folder / "effects"), str(pause), how)


@pytest.mark.parametrize("pause", [0.0005, 0.02])
@pytest.mark.parametrize("how", ["stays", "goes"])
def test_a_chain_of_short_lived_processes_is_held_and_stopped(
    tmp_path: Path, pause: float, how: str
) -> None:
    guard = Guarded(tmp_path, command=chain(tmp_path, pause, how), bare=True)
    wait_for(lambda: len({pid for _, pid in guard.acted()}) > 5, guard)
    time.sleep(0.5)
    assert guard.process.poll() is None, "its first process has ended, and it has not"
    guard.stop_file.touch()
    code, said = guard.ended()
    assert code == 124, said
    assert "no process of it is left" in said
    assert guard.is_silent()
    assert max(at for at, _ in guard.acted()) < guard.at


def test_a_command_that_restarts_itself_is_not_over(tmp_path: Path) -> None:
    """As an honest program does; each of its processes ends before anybody waits for it."""
    guard = Guarded(tmp_path, "--runtime", "2s", command=chain(tmp_path, 0.05, "goes"), bare=True)
    code, said = guard.ended()
    assert code == 124, said
    assert guard.is_silent()


def test_a_child_that_dies_without_a_signal_counts(tmp_path: Path) -> None:
    """`clone` without SIGCHLD: no ordinary wait sees it."""
    code = """
import ctypes, os, time
libc = ctypes.CDLL(None)
if libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], 0, 0, 0, 0, 0) == 0:
    time.sleep(0.6)
    os._exit(0)
"""
    guard = Guarded(tmp_path, command=(sys.executable, "-c", code), bare=True)
    before = time.monotonic()
    assert guard.ended()[0] == 0
    assert time.monotonic() - before > 0.6


@pytest.mark.parametrize("bare", [True, False])
def test_a_frozen_guard_does_not_let_its_command_run_on(tmp_path: Path, bare: bool) -> None:
    child = (sys.executable, "-c", ESCAPED, str(tmp_path / "effects"))
    guard = Guarded(tmp_path, "--lease", "1s", command=child, bare=bare)
    wait_for(lambda: len({pid for _, pid in guard.acted()}) == 2, guard)
    guard.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(guard.is_silent, limit=10)
        assert all(_is_dead(pid) for _, pid in guard.acted())
    finally:
        guard.process.send_signal(signal.SIGCONT)
    code, said = guard.ended()
    assert code == 124, said
    assert "STOPPED" in said


def _is_dead(pid: int) -> bool:
    return descendants.state(pid) in ("", "Z", "X")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_without_its_second_process_a_guard_stops(tmp_path: Path, number: signal.Signals) -> None:
    guard = Guarded(tmp_path, "--lease", "1s", bare=True)
    guard.until_it_acts()
    command = guard.acted()[0][1]
    (second,) = descendants.children(guard.process.pid) - {command}
    os.kill(second, number)
    code, said = guard.ended()
    assert code == 124, said
    assert "second process" in said
    assert guard.is_silent()
    assert Guarded(tmp_path, command=("true",)).ended()[0] == 0, "it is not a press"


def test_kill_9_of_the_guard_takes_what_left_its_session_too(tmp_path: Path) -> None:
    child = (sys.executable, "-c", ESCAPED, str(tmp_path / "effects"))
    guard = Guarded(tmp_path, command=child, bare=True)
    wait_for(lambda: len({pid for _, pid in guard.acted()}) == 2, guard)
    time.sleep(1.0)  # it was seen
    guard.process.kill()
    guard.ended()
    wait_for(guard.is_silent, limit=5)


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGHUP"])
def test_a_signal_that_ends_a_process_ends_the_command_first(tmp_path: Path, name: str) -> None:
    number = signal.Signals[name]
    guard = Guarded(tmp_path)
    guard.until_it_acts()
    guard.process.send_signal(number)
    code, said = guard.ended()
    assert code == 128 + number, said
    assert guard.is_silent()


def test_a_terminal_does_not_pause_a_guard(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, "--runtime", "1500ms")
    guard.until_it_acts()
    for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        guard.process.send_signal(number)
    code, said = guard.ended()
    assert code == 124, said


def test_nohup_is_kept(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    guard.until_it_acts()
    guard.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert guard.process.poll() is None
    guard.process.terminate()
    assert guard.ended()[0] == 128 + signal.SIGTERM


def test_a_hold_that_somebody_undoes_becomes_a_kill(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, "--on-stop", "hold", bare=True)
    guard.until_it_acts()
    guard.stop_file.touch()
    wait_for(guard.is_silent, guard)
    os.kill(guard.acted()[0][1], signal.SIGCONT)
    code, said = guard.ended()
    assert code == 124, said
    assert "let run by somebody while it was held" in said
    assert guard.is_silent()


# What it says does not decide what it does.


@pytest.mark.parametrize("how", ["gone", "full", "closed", "device"])
def test_a_stop_does_not_depend_on_who_listens(tmp_path: Path, how: str) -> None:
    """The prepared stop runs, the code is 124, the command is dead."""
    reader, writer = os.pipe()
    if how == "full":
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b" " * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
    device = os.open("/dev/full", os.O_WRONLY)
    streams = {"stderr": {"gone": writer, "full": writer, "device": device}.get(how)}
    shut = {"preexec_fn": lambda: os.close(2)} if how == "closed" else {}
    guard = Guarded(
        tmp_path,
        *("--on-stop", "command", "--stop-command", f"touch {tmp_path / 'prepared'}"),
        **streams,
        **shut,
    )
    os.close(writer)
    os.close(device)
    if how != "full":
        os.close(reader)
    guard.until_it_acts()
    guard.stop_file.touch()
    assert guard.process.wait(30) == 124
    assert (tmp_path / "prepared").exists()
    assert guard.is_silent()


def test_a_hold_holds_without_a_listener(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    guard = Guarded(tmp_path, "--on-stop", "hold", stderr=writer)
    os.close(writer)
    os.close(reader)
    guard.until_it_acts()
    guard.stop_file.touch()
    wait_for(guard.is_silent, guard)
    time.sleep(0.3)
    assert guard.process.poll() is None
    assert descendants.state(guard.acted()[0][1]) in "Tt" or guard.is_silent()
    guard.process.terminate()
    guard.process.wait(10)


# What cannot be held is said beforehand.


@pytest.mark.parametrize("engine", ["docker", "/usr/bin/podman", "kubectl", "ssh", "systemd-run"])
def test_what_runs_elsewhere_is_said(engine: str) -> None:
    assert "is not stopped with it" in elsewhere([engine, "run"])
    assert elsewhere(["python", engine]) == ""


def test_another_namespace_s_proc_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers there are of other processes: nothing is signalled by them."""
    monkeypatch.setattr(process_group, "proc_is_ours", lambda: False)
    monkeypatch.setattr(
        process_group, "processes", lambda: pytest.fail("it looked at a foreign /proc")
    )
    group = ProcessGroup([sys.executable, "-c", "import time; time.sleep(30)"])
    assert group.members() == [group.pid]
    assert group.kill(5.0)
    assert group.is_empty()


def test_empty_is_the_kernel_s_word(tmp_path: Path) -> None:
    code = f"""
import os, subprocess, sys, time
from freezetag.live.guard import process_group
from freezetag.live.guard.process_group import ProcessGroup
process_group.processes = lambda: iter(())  # a scan that sees nothing
group = ProcessGroup([sys.executable, "-c", {EFFECTS!r}, {str(tmp_path / "effects")!r}], alone=True)
time.sleep(0.5)
assert group.members() == []
print(group.is_empty())
group.process.kill(); group.process.wait()
print(group.is_empty())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
