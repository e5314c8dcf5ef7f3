"""A frame that is too large to be held: what can be said of it while its bytes pass by. Pure.

Whoever waits for such a frame has to be told, and for that its id is needed. It may stand before
what is large in it or behind, so the whole frame is looked through, and little of it kept.
"""

from __future__ import annotations

import json
import re
from typing import final

from freezetag.adapters.gates.mcp_frames import Id

_SHALLOW, _DEEP = re.compile(rb'["{}\[\],:]'), re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'["\\]')
_KEPT = 1000
"""Bytes of a key or of an id, at most; a longer one is none that we can answer."""


@final
class Oversized:
    """Give it the frame's bytes by `feed`, then ask for its `size`, `id` and `keys`.

    `keys` are those of the outermost object, as far as they are short; `id` is None where there is
    none, or none that JSON-RPC knows.
    """

    def __init__(self) -> None:
        self.size = 0
        self.id: Id | None = None
        self.keys: set[str] = set()
        self._depth = 0
        self._in_string = self._escaped = False
        self._text = bytearray()  # of the key or value at the outermost level, so far
        self._key = ""

    @property
    def asks(self) -> bool:
        """Whether it is a request or a notification, and no response."""
        return "method" in self.keys or not self.keys & {"result", "error"}

    def feed(self, chunk: bytes | bytearray) -> None:
        self.size += len(chunk)
        at, end = 0, len(chunk)
        while at < end:
            if self._escaped:
                self._escaped = False
                self._keep(chunk[at : at + 1])
                at += 1
                continue
            if self._in_string:
                marks = _IN_STRING
            else:
                marks = _SHALLOW if self._depth == 1 else _DEEP
            found = marks.search(chunk, at)
            self._keep(chunk[at : found.start() if found else end])
            if found is None:
                return
            at = found.end()
            self._meet(found[0])

    def _keep(self, part: bytes | bytearray) -> None:
        if self._depth == 1 and len(self._text) <= _KEPT:
            self._text += part[: _KEPT + 1]

    def _meet(self, mark: bytes) -> None:
        if self._in_string:
            self._keep(mark)
            self._escaped = mark == b"\\"
            self._in_string = mark == b"\\"
        elif mark == b'"':
            self._keep(mark)
            self._in_string = True
        elif mark in b"{[":
            self._depth += 1
        elif mark in b"}]":
            if self._depth == 1:
                self._value()
            self._depth -= 1
        elif mark == b":":
            key = self._read()
            self._key = key if isinstance(key, str) else ""
            self.keys.add(self._key)
        else:
            self._value()

    def _value(self) -> None:
        value = self._read()
        if self._key == "id" and type(value) in (int, str):
            self.id = value
        self._key = ""

    def _read(self) -> Id | None:
        text, self._text = bytes(self._text), bytearray()
        if len(text) > _KEPT:
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return value if type(value) in (int, str) else None
