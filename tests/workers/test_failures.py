"""Agents that misbehave in every way we could think of: each ends in a clear `AgentFailed`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workers.batch import batch

from freezetag.sim._worker import NotAnAction, whole_numbers
from freezetag.sim.foreign import AgentFailed, Foreign, printable
from freezetag.sim.workers import Cache, Worker

FAST = 0.4


@pytest.fixture
def play(tmp_path: Path) -> Iterator[object]:
    """Write a file, play three episodes of it, return the failure (or None)."""

    def played(code: str, *, steps: int = 2, **world: object) -> AgentFailed | None:
        file = tmp_path / "my_agent.py"
        file.write_text(code)
        with Worker(Foreign("python_file", str(file), FAST), seat=1) as worker:
            try:
                worker.reset([5, 6, 7])
                for t in range(steps):
                    obs = batch(3, step=t, **world)
                    worker.act(t, obs, np.ones(3, bool))
            except AgentFailed as failed:
                return failed
        return None

    return played


RAISES = {
    "raises": ("raise ValueError('no idea')", "raised ValueError: no idea (at my_agent.py:4)"),
    "exits": ("import sys; sys.exit(3)", "called sys.exit(3) (at my_agent.py:4)"),
    "interrupts": ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
    "recurses": ("return act(obs)", "raised RecursionError"),
    "odd exception": (
        "class E(Exception):\n            def __str__(self): raise E\n        raise E",
        "raised E:",
    ),
    "escapes": ("raise ValueError('a\\x1b[2Jb')", "raised ValueError: a?[2Jb"),
}


@pytest.mark.parametrize(("body", "says"), RAISES.values(), ids=RAISES)
def test_an_exception_names_player_step_episode_and_line(
    play: object, body: str, says: str
) -> None:
    failed = play(
        f"def act(obs):\n    if obs['step'] == 1:\n        pass\n        {body}\n    return 0"
    )
    assert failed is not None
    assert says in str(failed)
    assert "my_agent.py at step 1 in episode 0 (seat 1)" in str(failed)
    assert (failed.step, failed.episode, failed.seat) == (1, 0, 1)


ILLEGAL = {
    "nan": ("float('nan')", "nan"),
    "half": ("0.5", "0.5"),
    "infinite": ("float('inf')", "inf"),
    "text": ("'C'", "'C'"),
    "none": ("None", "None"),
    "two numbers": ("[0, 1]", "[0, 1]"),
    "nothing": ("[]", "[]"),
    "too large": ("2", "2"),
    "negative": ("-1", "-1"),
    "beyond int32": ("10**40", "10000000000000"),
    "beyond printing": ("10**6000", "a int that cannot be shown"),
    "a dictionary": ("{'choice': 0}", "an answer with choice"),
    "huge": ("[0] * 10**6", "[0, 0, 0, 0, 0, 0, ...]"),
    "hostile repr": ("type('X', (), {'__repr__': lambda s: 1 / 0})()", "<X instance at"),
}


@pytest.mark.parametrize(("value", "shown"), ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_action_names_the_value_and_what_is_allowed(
    play: object, value: str, shown: str
) -> None:
    failed = play(f"def act(obs):\n    return {value}")
    assert failed is not None
    assert failed.field == "action"
    assert shown in failed.value
    assert "Allowed here: a whole number 0 .. 1." in str(failed)
    assert failed.step == 0


def test_a_value_that_is_not_legal_now(play: object) -> None:
    legal = np.array([[True, False, False, True]] * 3)
    failed = play("def act(obs):\n    return obs['legal'][0] + 2", sizes=(4,), legal=legal)
    assert failed is not None
    assert "chose 2. Allowed here: a whole number 0 or 3." in str(failed)
    assert play("def act(obs):\n    return obs['legal'][-1]", sizes=(4,), legal=legal) is None


def test_several_components(play: object) -> None:
    failed = play("def act(obs):\n    return 1, 5", sizes=(3, 3))
    assert failed is not None
    assert "chose [1, 5]. Allowed here: 2 whole numbers, in order 0 .. 2, 0 .. 2." in str(failed)
    assert play("def act(obs):\n    return [p[-1] for p in obs['legal']]", sizes=(3, 3)) is None


ACCEPTED = ("1", "True", "1.0", "[1]", "(1,)", "__import__('numpy').int64(1)",
            "__import__('numpy').float32(1)", "__import__('numpy').array([1])")  # fmt: skip


@pytest.mark.parametrize("value", ACCEPTED)
def test_whole_numbers_of_many_kinds_are_accepted(play: object, value: str) -> None:
    assert play(f"def act(obs):\n    return {value}") is None


HANGS = {
    "sleeps": "import time; time.sleep(60)",
    "loops": "\n        while True: pass",
    "catches all": "import time\n        while True:\n            try: time.sleep(60)\n"
    "            except BaseException: pass",
    "blocks signals": "import signal, time; signal.signal(signal.SIGALRM, signal.SIG_IGN); "
    "time.sleep(60)",
}


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_a_hang_is_found_soon_and_attributed(play: object, body: str) -> None:
    code = f"""
calls = 0
def act(obs):
    if obs['step'] == 1 and obs['world']['stock'] == 0.5:
        {body}
    return 0
"""
    start = time.monotonic()
    failed = play(code)
    assert time.monotonic() - start < 6
    assert failed is not None
    assert (failed.field, failed.step, failed.episode) == ("timeout", 1, 1)
    assert "took longer than its 0.4 s" in str(failed)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import os; os._exit(5)", "ended its process: exit code 5"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9 (SIGKILL)"),
        ("import ctypes; ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
    ],
)
def test_a_crash_names_exit_code_or_signal(play: object, body: str, says: str) -> None:
    failed = play(f"def act(obs):\n    {body}")
    assert failed is not None
    assert says in str(failed)
    assert (failed.field, failed.step, failed.episode) == ("exit", 0, 0)


def test_prints_stay_inside(play: object, capfd: pytest.CaptureFixture[str]) -> None:
    code = """
import os, sys
def act(obs):
    print('x' * 10**6)
    print('to stderr', file=sys.stderr)
    os.write(1, b'straight to the file')
    os.system('echo from a shell; echo and its errors >&2')
    return 0
"""
    assert play(code) is None
    assert capfd.readouterr() == ("", "")


def test_the_end_of_what_it_printed_is_kept(play: object) -> None:
    failed = play("def act(obs):\n    print('a' * 5000, 'here it was')\n    return 9")
    assert failed is not None
    assert failed.printed.strip().endswith("here it was")
    assert len(failed.printed) <= 2000


@pytest.mark.parametrize("text", ["b'garbage!' * 50", "b'\\x02\\x00\\x00\\x00{]'", "b'\\xff' * 4"])
def test_garbage_on_every_open_file(play: object, text: str) -> None:
    code = f"""
import os
def act(obs):
    for number in range(3, 1024):
        try: os.write(number, {text})
        except OSError: pass
    return 0
"""
    failed = play(code)
    assert failed is not None
    assert failed.field in ("channel", "timeout")


def test_a_forged_answer_is_judged_like_any_other(play: object) -> None:
    code = """
import json, os, struct
def act(obs):
    for body in (b'{"ok": [[7], [0], [0]]}', b'{"ok": 7}', b'[' * 100000):
        for number in range(3, 1024):
            try: os.write(number, struct.pack('<I', len(body)) + body)
            except OSError: pass
    return 0
"""
    failed = play(code)
    assert failed is not None
    assert failed.value == "7"


def test_builtins_deleted(play: object) -> None:
    code = """
import builtins
def act(obs):
    for name in dir(builtins):
        if not name.startswith('__'):
            delattr(builtins, name)
    return 0
"""
    start = time.monotonic()
    assert isinstance(play(code), AgentFailed)
    assert time.monotonic() - start < 6


def test_its_children_end_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    file = tmp_path / "forks.py"
    file.write_text(
        "import os, pathlib, subprocess, time\n"
        "def act(obs):\n"
        f"    note = pathlib.Path({str(note)!r})\n"
        "    if not note.exists():\n"
        "        if not (pid := os.fork()):\n"
        "            time.sleep(100)\n"
        "        note.write_text(str(pid))\n"
        "    return 0\n"
    )
    with Worker(Foreign("python_file", str(file), FAST), seat=0) as worker:
        worker.reset([1])
        worker.act(0, batch(1), np.ones(1, bool))
        pid = int(note.read_text())
        os.kill(pid, 0)
    assert gone(pid)


def test_a_fork_that_stays_does_not_hide_the_end(play: object) -> None:
    code = "import os, time\ndef act(obs):\n    os.fork() or time.sleep(100)\n    os._exit(4)"
    failed = play(code)
    assert failed is not None
    assert "exit code 4" in str(failed)


def gone(pid: int) -> bool:
    """Whether a process ends within a second (nobody may be left to collect it)."""
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                time.sleep(0.01)
                continue
        return True
    return False


def test_no_child_is_left_behind(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def act(obs):\n    return 0")
    worker = Worker(Foreign("python_file", str(file)), seat=0)
    worker.reset([1])
    assert worker._child is not None
    pid = worker._child._process.pid
    worker.close()
    worker.close()
    assert gone(pid)


def test_after_a_failure_a_reset_starts_anew(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def act(obs):\n    return 7 * obs['step']")
    with Worker(Foreign("python_file", str(file)), seat=0) as worker:
        worker.reset([1])
        with pytest.raises(AgentFailed):
            worker.act(1, batch(1, step=1), np.ones(1, bool))
        with pytest.raises(RuntimeError, match="reset"):
            worker.act(0, batch(1), np.ones(1, bool))
        worker.reset([1])
        assert worker.act(0, batch(1), np.ones(1, bool)).tolist() == [[0]]


def test_ctrl_c_in_the_parent_leaves_no_half_played_child_in_the_cache(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def act(obs):\n    return 0")
    foreign = Foreign("python_file", str(file))
    with Cache() as cache:
        worker = Worker(foreign, seat=0, cache=cache)
        worker.reset([1])
        worker.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert cache.take(foreign) == (None, False)
        with Worker(foreign, seat=0, cache=cache) as worker:
            worker.reset([1])
            child = worker._child
        with Worker(foreign, seat=3, cache=cache) as worker:
            worker.reset([1])
            assert worker._child is child


@given(st.one_of(st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.none()))
@settings(max_examples=100)
def test_an_answer_is_whole_numbers_or_refused(value: object) -> None:
    try:
        (found,) = whole_numbers(value, 1)
    except NotAnAction:
        assert not (isinstance(value, int) and abs(value) < 2**31)
    else:
        assert found == (value[0] if isinstance(value, list) else value)


@given(st.text())
def test_text_of_agents_is_safe_for_a_terminal(text: str) -> None:
    assert (safe := printable(text, 50)).isprintable()
    assert len(safe) <= 50
