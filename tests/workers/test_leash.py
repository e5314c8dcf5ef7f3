"""An agent's process ends with freezetag's, however that ends, and a long wait is told of."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from freezetag.sim import _child

LOOP = "while True: pass"
IN_C = "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"  # no thread of Python's runs meanwhile
FORKS = f"import os\nos.fork()\n{LOOP}"


def running(marker: str) -> int:
    """How many processes were started with this in their environment."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            count += marker.encode() in (process / "environ").read_bytes()
    return count


def wait_until(said: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not said():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("code", [LOOP, IN_C, FORKS])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_hung_agent_ends_with_the_command(tmp_path: Path, code: str, how: signal.Signals) -> None:
    loaded = tmp_path / "loaded"
    (tmp_path / "my_agent.py").write_text(f"open({str(loaded)!r}, 'w').close()\n{code}\n")
    command = [sys.executable, "-m", "freezetag", "check", "my_agent.py"]
    env, marker = {**os.environ, "LEASHED": str(tmp_path)}, f"LEASHED={tmp_path}"
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=nowhere, stderr=nowhere)
    with process:
        wait_until(loaded.exists)
        wait_until(lambda: running(marker) == (3 if code == FORKS else 2))
        process.send_signal(how)
        process.wait()
    wait_until(lambda: not running(marker))


def test_a_long_wait_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my_agent.py"
    file.write_text(LOOP)
    monkeypatch.setattr(_child, "_LONG", 1.0)
    monkeypatch.setattr(_child, "_TELL", 0.2)
    told: list[str] = []
    child = _child.Child()
    try:
        with pytest.raises(_child.Lost):
            child.ask("load", ("python_file", str(file), 1.0, {}), 1.0, told.append)
    finally:
        child.kill()
    (text,) = told
    assert "has not answered for 0.2 s" in text
