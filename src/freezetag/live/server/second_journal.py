"""The second journal: where a press goes when the ledger cannot be written.

One line per record, synced, in a file that may lie on another disk. A file system that hangs must
not hang the server too, so each append has a daemon thread and a deadline. At the next start what
is there and not in the ledger is handed over again; then the file is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final


@final
class SecondJournal:
    """Holds presses and repeats that are not in the ledger yet."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def append(self, kind: str, body: Mapping[str, Any], timeout: float = 0.5) -> bool:
        """Whether the record was synced within `timeout` seconds."""
        line = json.dumps({"body": body, "kind": kind}).encode() + b"\n"
        synced = threading.Event()

        def write() -> None:
            with contextlib.suppress(OSError), self.path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
                synced.set()

        threading.Thread(target=write, name="second journal", daemon=True).start()
        return synced.wait(timeout)

    def read(self) -> list[tuple[str, Any]]:
        """What it holds; a last line that was cut off in a crash is left out."""
        found = []
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                entry = json.loads(line)
                found.append((str(entry["kind"]), entry["body"]))
        return found

    def clear(self) -> None:
        """All of it is in the ledger."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
