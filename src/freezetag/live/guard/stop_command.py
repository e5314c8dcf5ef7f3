"""The prepared stop command: run for so long and no longer, with all it starts.

Category 1 of IEC 60204-1: brought to a safe state under power, then cut.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence


def run_stop_command(
    command: Sequence[str],
    seconds: float,
    environment: Mapping[str, str],
    waited_for: set[int] | None = None,
) -> list[str]:
    """Runs `command` for at most `seconds`, then kills its group; what it did, for the record.

    Its process id is in `waited_for` as long as nobody else may take in its end.
    """
    if not seconds > 0:
        return ["stop command not started: no time was left for it"]
    try:
        running = subprocess.Popen(command, env=environment, start_new_session=True)
    except OSError as error:
        return [f"stop command not started: {error}"]
    waited_for = set() if waited_for is None else waited_for
    waited_for.add(running.pid)
    try:
        code = running.wait(seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return [f"stop command killed after {seconds:.3g} s"]
    finally:
        waited_for.discard(running.pid)
    return [f"stop command ended with {code}"]
