"""Server-sent events on their way through the guard, whole and byte for byte. Pure.

The event `endpoint` of the transport of 2024-11-05 tells a client where to post from now on, so it
leads past the guard; it is looked for in every event before its bytes go on. Source: the HTML
standard, 9.2.6, for how a stream is read.
"""

from __future__ import annotations

import re
from typing import final

_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class EndpointEvent(Exception):
    """The stream tells its reader to post somewhere else."""


class TooLarge(Exception):
    """One event has more bytes than may be held."""


@final
class Events:
    """`feed` it the stream's bytes; it gives those of whole events, and comments at once."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._rest = bytearray()  # of the line that has no end yet
        self._event = bytearray()  # whole lines of an event without its blank line
        self._is_first = True

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on. Raises `EndpointEvent` and `TooLarge`."""
        passed = bytearray()
        at, search = 0, max(0, len(self._rest) - 1)
        self._rest += chunk
        while found := _END.search(self._rest, search):
            start, search = found.span()
            if search == len(self._rest) and self._rest[start] == ord("\r"):
                break  # perhaps half of an end
            passed += self._line(bytes(self._rest[at:start]), bytes(self._rest[start:search]))
            at = search
        del self._rest[:at]
        if len(self._rest) + len(self._event) > self._largest:
            raise TooLarge
        return bytes(passed)

    def end(self) -> bytes:
        """What is left when the stream ends: readers drop it, so it may go on."""
        rest = bytes(self._event + self._rest)
        if any(_is_endpoint(line) for line in _END.split(rest.removeprefix(_BOM))):
            raise EndpointEvent
        return rest

    def _line(self, line: bytes, end: bytes) -> bytes:
        if self._is_first:
            self._is_first = False
            field = line.removeprefix(_BOM)
        else:
            field = line
        if _is_endpoint(field):
            raise EndpointEvent
        self._event += line + end
        if field and not (field.startswith(b":") and len(self._event) == len(line + end)):
            return b""
        whole = bytes(self._event)
        self._event.clear()
        return whole


def _is_endpoint(line: bytes) -> bool:
    name, _, value = line.partition(b":")
    return name == b"event" and value.strip().lower() == b"endpoint"
