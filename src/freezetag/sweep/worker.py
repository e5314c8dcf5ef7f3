"""A process of a sweep: `python -m freezetag.sweep.worker FOLDER THREADS`.

It reads a cell a line, as JSON, and answers each with a line. It ends when its input does, which is
also what happens when whoever started it is killed.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from freezetag.exam.spec import Spec
from freezetag.sim.workers import Cache
from freezetag.sweep.cell import Cell, Outcome, examine

GRACE = 10.0


def main(folder: Path, threads: int) -> None:
    """Run cells under `folder` until there are no more."""
    # Prints of JAX code, ours or a user's, go elsewhere: this channel holds answers alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(lines, busy), daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)
    with Cache() as cache:
        while line := _get(lines):
            busy.set()
            cell = Cell(Spec.from_toml(json.loads(line)["spec"]))
            found = examine(cell, folder, cache, threads)
            answers.write(json.dumps(_said(found)) + "\n")
            answers.flush()
            busy.clear()
            if found.cut:
                raise KeyboardInterrupt


def _read(lines: queue.SimpleQueue[str], busy: threading.Event) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("")
    if busy.is_set():  # nobody is there any more who would read the answer
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)


def _get(lines: queue.SimpleQueue[str]) -> str:
    while True:
        try:
            return lines.get(timeout=1.0)
        except queue.Empty:
            continue


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _said(found: Outcome) -> dict[str, Any]:
    return {"reason": found.reason, "full": found.full, "cut": found.cut}


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
