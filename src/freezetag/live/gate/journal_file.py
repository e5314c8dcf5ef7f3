"""A gate's journal in a file: continued over restarts, and checked link by link."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from freezetag.core.errors import RunError
from freezetag.core.journal import GENESIS, Journal, read
from freezetag.live.signed.verify import Report


def open_journal(path: Path) -> Journal:
    """The journal in `path`, or a new one; a line that a crash cut short is taken off.

    Raises `JournalError` for one that was edited and `RunError` for one that cannot be opened.
    Caveat: entries are not synced one by one, so a machine that loses power may lose the newest;
    the head that an authority anchored shows that.
    """
    link, size = GENESIS, 0

    def whole(file: IO[bytes]) -> Iterator[bytes]:
        """Line by line: a journal of months is larger than anybody wants in memory."""
        nonlocal link, size
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line
            link, size = hashlib.sha256(line[:-1]).hexdigest(), size + len(line)

    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(handle, "rb", closefd=False) as file:
            for _ in read(whole(file)):
                pass  # reading is checking
        if os.fstat(handle).st_size > size:
            os.ftruncate(handle, size)
    except OSError as error:
        raise RunError(f"the journal {path} cannot be opened: {error.strerror}.") from None

    def write(line: bytes) -> None:
        if os.write(handle, line) < len(line):
            raise OSError(f"{path}: the disk is full")

    return Journal(write, link)


def holds_nothing(path: str | Path) -> str:
    """What is said of a journal without an entry. A new one has no header that would tell it from
    any other empty file, or from one that was emptied."""
    return (
        f"{path} holds nothing: a gate writes its first entry when it opens. If one did, the "
        "journal was emptied, or this is not its file."
    )


def verify_journal(path: str | Path, *, head: str | None = None) -> Report:
    """Verifies a gate's action journal link by link; `head` is its newest hash, kept elsewhere.

    Without `head` a journal that was cut off, or written anew from some entry on, still verifies.
    """
    report = Report(root=GENESIS)
    try:
        with Path(path).open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    report.problems.append(
                        f"the last line, entry {report.records}, is cut short, as by a crash. Take "
                        "it off (the next run of its gate does) and say so, or find the whole file"
                    )
                    break
                if json.loads(line)["prev"] != report.root:
                    report.problems.append(f"entry {report.records} does not follow the one before")
                    break
                report.root = hashlib.sha256(line[:-1]).hexdigest()
                report.records += 1
    except OSError as error:
        report.problems.append(f"the journal cannot be read: {error.strerror}")
    except (ValueError, TypeError, KeyError, RecursionError):
        report.problems.append(f"entry {report.records} is not an entry of a gate's journal")
    if head is not None and head != report.root:
        report.problems.append(f"the journal ends with {report.root}, not with the kept {head}")
    return report
