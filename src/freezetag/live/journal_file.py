"""A gate's journal in a file: continued over restarts, checked link by link when it is opened."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from freezetag.core.errors import RunError
from freezetag.core.journal import GENESIS, Journal, read


def open_journal(path: Path) -> Journal:
    """The journal in `path`, or a new one; a line that a crash cut short is taken off.

    Raises `JournalError` for one that was edited and `RunError` for one that cannot be opened.
    Caveat: entries are not synced one by one, so a machine that loses power may lose the newest;
    the head that an authority anchored shows that.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(handle, "rb", closefd=False) as file:
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.ftruncate(handle, len(whole))
    except OSError as error:
        raise RunError(f"the journal {path} cannot be opened: {error.strerror}.") from None
    lines = whole.splitlines()
    for _ in read(lines):
        pass  # reading is checking

    def write(line: bytes) -> None:
        if os.write(handle, line) < len(line):
            raise OSError(f"{path}: the disk is full")

    return Journal(write, hashlib.sha256(lines[-1]).hexdigest() if lines else GENESIS)
