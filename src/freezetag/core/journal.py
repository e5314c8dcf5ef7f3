"""The action record of one gate: a chain in which every entry names the hash of the one before.

Pure: entries go to a function, so a file, a list or a socket can hold them. A chain shows edits,
deletions and reordering up to its `head`; that the head itself is the newest one is shown only by
whoever was told it (the authority's ledger anchors it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from freezetag.core.errors import UserError

GENESIS = "0" * 64
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class JournalError(UserError):
    """A journal that does not hang together; the text names the entry."""


class Journal:
    """Appends entries to a hash chain; `head` is the hash of the newest, 64 hex digits."""

    def __init__(self, write: Callable[[bytes], None], head: str = GENESIS) -> None:
        self._write = write
        self.head = head

    def append(self, kind: str, **fields: Any) -> str:
        """Writes one line and gives the new head. Numbers that are not finite become null."""
        entry = {**fields, "kind": kind, "prev": self.head}
        try:
            line = _encode(entry).encode()
        except ValueError:
            line = _encode(_known(entry)).encode()
        self._write(line + b"\n")
        self.head = hashlib.sha256(line).hexdigest()
        return self.head


def read(lines: Iterable[bytes], head: str | None = None) -> Iterator[dict[str, Any]]:
    """The entries of a journal, checked link by link; `head`, if given, must be the last hash.

    Raises `JournalError` at the first entry that was edited, removed, added or moved.
    """
    link = GENESIS
    number = -1
    for number, line in enumerate(lines):
        line = line.rstrip(b"\n")
        try:
            entry = json.loads(line)
            prev = entry["prev"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise JournalError(f"entry {number} of the journal cannot be read") from None
        if prev != link:
            raise JournalError(f"entry {number} does not follow entry {number - 1}: {prev!r:.70}")
        link = hashlib.sha256(line).hexdigest()
        yield entry
    if head is not None and head != link:
        raise JournalError(f"the journal ends with {link}, not with the anchored head {head}")


def _known(value: Any) -> Any:
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    return value
