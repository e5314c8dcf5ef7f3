"""What tests of the guard share: a child that writes effects by its own clock, and the command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

# The oracle: knows nothing of freezetag, and says when it last acted.
EFFECTS = """
import os, sys, time
with open(sys.argv[1], "a", buffering=1) as file:
    while True:
        file.write(f"{time.time()} {os.getpid()}\\n")
        time.sleep(0.01)
"""
# The same from a child that left its session, whose parent has ended.
ESCAPED = f"""
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        exec({EFFECTS!r})
    os._exit(0)
os.wait()
exec({EFFECTS!r})
"""

# The command line where the kernel lets nobody make a control group.
BARE = """
import sys
from freezetag.live.guard.cgroup import Cgroup
Cgroup.create = classmethod(lambda cls, name: None)
from freezetag.cli import main
main(sys.argv[1:])
"""


class Guarded:
    """A `freezetag guard` under way, with what its command did. `end_all` after each test."""

    running: ClassVar[list[subprocess.Popen[bytes]]] = []

    def __init__(
        self,
        folder: Path,
        *options: str,
        command: Sequence[str] = (),
        stop_file: Path | None = None,
        bare: bool = False,
        default: bool = False,
        inside: Sequence[str] = (),
        **streams: Any,
    ) -> None:
        """`bare`: where no control group may be made; `default`: the state lies where it lies if
        nobody says; `inside`: what runs the guard, as `unshare` does; `streams` in place of
        pipes."""
        self.folder, self.effects = folder, folder / "effects"
        self.state, self.stop_file = folder / "state", stop_file or folder / "STOP"
        given = command or (sys.executable, "-c", EFFECTS, str(self.effects))
        self.process = subprocess.Popen(
            [
                *(*inside, sys.executable, *(("-c", BARE) if bare else ("-m", "freezetag"))),
                *("guard", *(() if default else ("--state", str(self.state)))),
                *("--stop-file", str(self.stop_file), *options, "--", *given),
            ],
            cwd=folder,
            env=os.environ | {"HOME": str(folder)},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
        )

        self.running.append(self.process)

    @classmethod
    def end_all(cls) -> None:
        """A test that failed leaves no guard behind, and no command that it holds frozen."""
        while cls.running:
            process = cls.running.pop()
            if process.poll() is None:
                process.terminate()
                try:
                    process.communicate(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def until_it_acts(self) -> None:
        wait_for(lambda: len(self.acted()) > 3, self)

    def acted(self) -> list[tuple[float, int]]:
        """(time, pid) of every effect, by the clock of whoever had it."""
        if not self.effects.exists():
            return []
        lines = self.effects.read_text().splitlines()
        return [(float(at), int(pid)) for at, pid in (line.split() for line in lines)]

    def ended(self, timeout: float = 30.0) -> tuple[int, str]:
        """Exit code and what was said; the time of it is `self.at`."""
        _, said = self.process.communicate(timeout=timeout)
        self.at = time.time()
        return self.process.returncode, said.decode()

    def is_silent(self) -> bool:
        """No effect from now on (looks for a fifth of a second)."""
        before = self.acted()
        time.sleep(0.2)
        return self.acted() == before


def wait_for(
    condition: Callable[[], bool], guard: Guarded | None = None, limit: float = 20
) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it never came"
        if guard is not None:
            assert guard.process.poll() is None, guard.ended()
        time.sleep(0.01)
