"""Lines of a file descriptor, and what can be said of those that are too long to be held."""

from __future__ import annotations

import os
from collections.abc import Iterator

from freezetag.adapters.gates.mcp_oversized import Oversized
from freezetag.adapters.gates.mcp_process import Process

_CHUNK = 1 << 16


def lines(source: int, largest: int, process: Process | None = None) -> Iterator[bytes | Oversized]:
    """Lines without their ends; for one of more than `largest` bytes what was seen of it, once it
    has passed. Ends with the file, and with the `process` that writes it."""
    buffer, searched = bytearray(), 0
    passing: Oversized | None = None
    while True:
        try:
            chunk = process.read(source, _CHUNK) if process else os.read(source, _CHUNK)
        except OSError:
            return
        if not chunk:
            return  # what has no line end is not a frame
        buffer += chunk
        while (end := buffer.find(b"\n", searched)) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            searched = 0
            if passing is None and len(line) <= largest:
                yield line
                continue
            passing = passing or Oversized()
            passing.feed(line)
            yield passing
            passing = None
        searched = len(buffer)
        if passing is not None or searched > largest:
            passing = passing or Oversized()
            passing.feed(buffer)
            buffer.clear()
            searched = 0
