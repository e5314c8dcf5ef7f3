"""Whole processes, as a user starts them: seconds from start to end, and to the first output."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("freezetag"))


def run(
    command: Sequence[str],
    folder: Path,
    cache: Path | None = None,
    until: str | None = None,
    limit: float = 900,
) -> tuple[float, int, str]:
    """(seconds, exit code, what it printed). With `until`, seconds to the first line of its
    output that holds this, and the process is ended there (exit code -15)."""
    env = dict(os.environ)
    if cache is not None:
        env["FREEZETAG_CACHE"] = str(cache)
    begin = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        printed, seconds = [], None
        try:
            if until is not None and process.stdout is not None:
                for line in process.stdout:
                    printed.append(line)
                    if until in line:
                        seconds = time.perf_counter() - begin
                        process.terminate()
                        break
            rest, _ = process.communicate(timeout=limit)
            printed.append(rest)
        except BaseException:
            process.kill()
            raise
    if until is not None and seconds is None:
        raise SystemExit(f"{' '.join(command)} never printed {until!r}:\n{''.join(printed)}")
    total = time.perf_counter() - begin if seconds is None else seconds
    return total, process.returncode, "".join(printed)
