"""A guard in a container's namespaces: as its first process, and where the host shows it less."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.guards import EFFECTS, Guarded, wait_for

# One process that stays, one in a session of its own whose parent ended, and one such that ends.
AGENT = f"""
import os, sys, time
for stays in (True, False):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            if stays:
                exec({EFFECTS!r})
            time.sleep(0.3)
        os._exit(0)
    os.wait()
exec({EFFECTS!r})
"""
FIRST = ("--pid", "--fork", "--kill-child")
UNIFIED = "$(findmnt -n -o TARGET -t cgroup2)"
ONLY_NULL = "mkdir -p kept; touch kept/null; mount --bind /dev/null kept/null; "
HOSTS = {
    "its first process": ((*FIRST, "--mount-proc"), ""),
    "first, and /proc is another's": (FIRST, ""),
    "control groups are read-only": (("-m",), f"mount -o remount,ro,bind {UNIFIED}"),
    "no control groups": (("-m",), f"umount -l {UNIFIED}"),
    "first, and control groups are read-only": (
        (*FIRST, "--mount-proc"),
        f"mount -o remount,ro,bind {UNIFIED}",
    ),
    "shared memory is read-only": (("-m",), "mount -t tmpfs -o ro none /dev/shm"),
    "no shared memory": (
        ("-m",),
        f"{ONLY_NULL}mount -t tmpfs none /dev; touch /dev/null; mount --bind kept/null /dev/null",
    ),
}


@pytest.fixture(autouse=True)
def no_guard_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


def inside(folder: Path, flags: tuple[str, ...], setup: str = "") -> list[str]:
    """What runs a command in such namespaces, in `folder`. Skips where they are not allowed."""
    told = ["unshare", *flags, "sh", "-ec", f'{setup}\nexec "$@"', "sh"]
    tried = subprocess.run([*told, "true"], cwd=folder, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no such namespaces here: {tried.stderr.strip()}")
    return told


@pytest.mark.parametrize("host", HOSTS)
def test_a_command_runs_and_is_stopped_with_its_orphans(tmp_path: Path, host: str) -> None:
    argv = inside(tmp_path, *HOSTS[host])
    guard = Guarded(
        tmp_path,
        command=(sys.executable, "-c", AGENT, str(tmp_path / "effects")),
        inside=argv,
    )
    wait_for(lambda: len({pid for _, pid in guard.acted()}) == 2, guard)
    guard.stop_file.touch()
    code, said = guard.ended()
    assert code == 124, said
    assert "no process of it is left" in said
    assert "Traceback" not in said
    assert guard.is_silent()


def test_where_no_second_process_can_be_started_nothing_runs(tmp_path: Path) -> None:
    """It ended in a traceback and left a control group behind."""
    argv = inside(tmp_path, ("-m",), "mount -t tmpfs none /dev")
    guard = Guarded(tmp_path, inside=argv)
    code, said = guard.ended()
    assert code == 3, said
    assert "second process cannot be started" in said
    assert "Traceback" not in said
    assert guard.acted() == []
    told = subprocess.run(
        ["findmnt", "-n", "-o", "TARGET", "-t", "cgroup2"],
        capture_output=True,
        text=True,
        check=False,
    )
    for mounted in told.stdout.split():
        assert not list(Path(mounted).rglob(f"freezetag-{guard.process.pid}-*"))


# The first process of a namespace whose /proc is the host's. `group` is a group of the host with
# `member` in it: in here the first number is the guarded command's, the second a bystander's.
NUMBERS = """
import os, signal, subprocess, sys, time
from pathlib import Path
from freezetag.live.guard.second_killer import LastResort

def start(number, leads):
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(number - 1))
    made = subprocess.Popen(["sleep", "60"], start_new_session=leads)
    assert made.pid == number, made.pid
    return made

group, member = map(int, sys.argv[1:])
bystander = start(member, False)
hears, tells = os.pipe()
if (guard := os.fork()) == 0:
    os.close(hears)
    second = LastResort(None, 1.0)
    command = start(group, True)
    second.watch(command.pid)
    os.write(tells, b"1")
    os._exit(0)
os.close(tells)
os.read(hears, 1)
os.waitpid(guard, 0)
end = time.monotonic() + 10
while os.waitid(os.P_PID, group, os.WEXITED | os.WNOHANG) is None:
    assert time.monotonic() < end, "the command runs on"
    time.sleep(0.01)
time.sleep(0.5)
print("the bystander", "lives" if bystander.poll() is None else "was killed")
"""


def test_the_second_process_does_not_believe_another_namespace_s_proc_either(
    tmp_path: Path,
) -> None:
    """It killed by the numbers of the host's processes, which in here were others'."""
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("no process can be given a number here")
    shell = ["sh", "-c", "sleep 60 & echo $!; wait"]
    leader = subprocess.Popen(shell, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert leader.stdout is not None
        member = int(leader.stdout.readline())
        numbers = (str(leader.pid), str(member))
        argv = [*inside(tmp_path, FIRST), sys.executable, "-c", NUMBERS, *numbers]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.killpg(leader.pid, 9)
        leader.communicate()
    assert done.stdout == "the bystander lives\n", done.stderr
