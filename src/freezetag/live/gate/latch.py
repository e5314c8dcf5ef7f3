"""What a gate remembers when its process ends: the presses it heard, and whether it ended cleanly.

A stop that a restart forgets is no stop. The file is replaced atomically and synced. One that is
there and cannot be read is a reason to stay stopped, so `load` raises instead of starting afresh.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, final

from freezetag.core.errors import RunError
from freezetag.core.journal import Journal
from freezetag.live.gate.enrolment import Link
from freezetag.live.signed.presses import StateError

EACH = 100
"""Refusals of an incarnation that are journalled one by one; then the 128th, 256th, 512th …"""


class LatchError(RunError):
    """The latch could not be read or written."""


class Latch(Protocol):
    def load(self) -> dict[str, Any] | None:
        """What was saved last; None if nothing ever was. Raises `LatchError`."""
        ...

    def save(self, data: dict[str, Any]) -> None:
        """Durable when it returns. Raises `LatchError`."""
        ...


class MemoryLatch:
    """A latch that lasts as long as the object: for simulation and tests."""

    def __init__(self) -> None:
        self.text: str | None = None

    def load(self) -> dict[str, Any] | None:
        return None if self.text is None else json.loads(self.text)

    def save(self, data: dict[str, Any]) -> None:
        self.text = json.dumps(data)


class LatchFile:
    """A latch in one file, which belongs where the agent cannot write."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def load(self) -> dict[str, Any] | None:
        try:
            data = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise LatchError(f"the latch {self.path} cannot be read: {error}") from None
        if not isinstance(data, dict):
            raise LatchError(f"the latch {self.path} holds no object")
        return data

    def save(self, data: dict[str, Any]) -> None:
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                file.write(json.dumps(data).encode())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise LatchError(f"the latch {self.path} cannot be written: {error}") from None


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@final
class Memory:
    """What a gate writes down: its latch, its journal, and the alarms of both (the newest 100)."""

    def __init__(self, latch: Latch, journal: Journal | None) -> None:
        self._latch, self._journal = latch, journal
        self.alarms: list[str] = []
        self._saved: dict[str, Any] | None = None

    @property
    def head(self) -> str:
        """The newest hash of the journal; "" without one."""
        return self._journal.head if self._journal else ""

    def decided(
        self, action: str, mode: int, reading: Mapping[str, Any], now: float
    ) -> dict[str, Any]:
        """What the journal will hold of a decision; nothing without one."""
        if self._journal is None:
            return {}
        return {"action": action, "mode": mode, "reading": {**reading}, "t": now}

    def refused(self, decided: dict[str, Any], reason: str, count: int) -> None:
        """A refusal, the `count`th of its incarnation: each of the first, then fewer and fewer."""
        if decided and (count <= EACH or count.bit_count() == 1):
            decided["action"] = f"{decided['action']!s:.200}"
            self.write("refused", **decided, reason=reason, count=count)

    def alarm(self, what: str) -> None:
        self.alarms.append(what)
        del self.alarms[:-100]

    def write(self, kind: str, **fields: Any) -> bool:
        """One entry of the journal; False, and an alarm, if it cannot be written."""
        try:
            if self._journal is not None:
                self._journal.append(kind, **fields)
        except (OSError, ValueError, TypeError) as error:
            self.alarm(f"journal: {error}")
            return False
        return True

    def save(self, gate: str, dirty: str | None, links: Mapping[str, Link]) -> bool:
        """The latch: what was heard of each authority; `dirty` is the incarnation that runs."""
        memory = {name: link.memory() for name, link in links.items()}
        data = {"dirty": dirty, "gate": gate, "links": memory, "v": 1}
        if data == self._saved:  # each write waits for the disk
            return True
        try:
            self._latch.save(data)
            self._saved = data
        except (LatchError, OSError) as error:
            self.alarm(str(error))
            return False
        return True

    def recall(self, links: Mapping[str, Link]) -> str | None:
        """Restores `links`; gives the incarnation that ended without closing, or None.

        Raises `LatchError` for a latch that is there and cannot be read.
        """
        memory = self._latch.load()
        if memory is None:
            return None
        try:
            for name, link in links.items():
                if name in memory["links"]:
                    link.recall(memory["links"][name])
            dirty = memory["dirty"]
        except (StateError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise LatchError(f"the latch is no memory of a gate: {error!r:.200}") from None
        return None if dirty is None else str(dirty)
