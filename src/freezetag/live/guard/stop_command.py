"""The prepared stop command: run for so long and no longer, with all it starts.

Category 1 of IEC 60204-1: brought to a safe state under power, then cut.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence


def run_stop_command(
    command: Sequence[str], seconds: float, environment: Mapping[str, str]
) -> list[str]:
    """Runs `command` for at most `seconds`, then kills its group; what it did, for the record."""
    try:
        running = subprocess.Popen(command, env=environment, start_new_session=True)
    except OSError as error:
        return [f"stop command not started: {error}"]
    try:
        code = running.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return [f"stop command killed after {seconds:g} s"]
    return [f"stop command ended with {code}"]
