"""What a gate remembers when its process ends: the presses it heard, and whether it ended cleanly.

A stop that a restart forgets is no stop. The file is replaced atomically and synced. One that is
there and cannot be read is a reason to stay stopped, so `load` raises instead of starting afresh.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, final

from freezetag.core.errors import RunError
from freezetag.core.journal import Journal
from freezetag.live.gate.enrolment import Link
from freezetag.live.signed.presses import Press, StateError

RESERVE = 64 * 1024
"""Bytes that a latch may have on a disk that is full."""
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
    """A latch in one file, which belongs where the agent cannot write.

    Beside it lies a reserve of the same use, whose room on the disk is taken from the first save
    on: with the disk full, what has to be remembered is written over that. A folder that somebody
    took away is made again.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.reserve = self.path.with_suffix(".reserve")
        self._saves = 0

    def load(self) -> dict[str, Any] | None:
        newest, data = _read(self.path), _read(self.reserve)
        if data and (newest is None or data.get("saves", 0) > newest.get("saves", 0)):
            newest = data
        if newest is None:
            return None
        self._saves = max(self._saves, int(newest.pop("saves", 0)))
        return newest

    def save(self, data: dict[str, Any]) -> None:
        self._saves += 1
        text = json.dumps({**data, "saves": self._saves}).encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(self.path, text)
        except OSError as error:
            try:
                _write_over(self.reserve, text)
            except OSError:
                raise LatchError(f"the latch {self.path} cannot be written: {error}") from None
            return
        if not self.reserve.exists():
            with contextlib.suppress(OSError):
                _replace(self.reserve, b"{}".ljust(RESERVE))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise LatchError(f"the latch {path} cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise LatchError(f"the latch {path} holds no object")
    if type(data.get("saves", 0)) is not int:
        raise LatchError(f"the latch {path} does not say how new it is")
    return data


def _replace(path: Path, text: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _write_over(path: Path, text: bytes) -> None:
    """In place, where the room is already ours. Cut short by a crash it is unreadable, and so a
    reason to stay stopped."""
    if len(text) > RESERVE:
        raise OSError(errno.ENOSPC, "more than the reserve holds")
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, text.ljust(RESERVE), 0)
        os.fsync(handle)
    finally:
        os.close(handle)


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
        self.keeps = journal is not None  # asked at every action
        self.alarms: list[str] = []
        self._saved: dict[str, Any] | None = None
        self._left: dict[str, Any] = {}  # what was heard of authorities that are not named now
        self.left_out: tuple[Press, ...] = ()

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
        memory = self._left | {name: link.memory() for name, link in links.items()}
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

        What stood at an authority that is not among them stands on (`left_out`): nobody leaves an
        authority, and its presses, by leaving it out. Raises `LatchError` for a latch that is there
        and cannot be read.
        """
        memory = self._latch.load()
        if memory is None:
            return None
        try:
            for name, link in links.items():
                if name in memory["links"]:
                    link.recall(memory["links"][name])
            self._left = {n: data for n, data in memory["links"].items() if n not in links}
            self.left_out = tuple(p for n, data in self._left.items() for p in _standing(n, data))
            dirty = memory["dirty"]
        except (StateError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise LatchError(f"the latch is not a memory of a gate: {error!r:.200}") from None
        return None if dirty is None else str(dirty)


def _standing(authority: str, data: Any) -> list[Press]:
    """The presses that stood at an authority when it was heard last; all, if that is not known."""
    presses = [Press.from_json(each) for each in data["state"]["presses"]]
    stood = data.get("standing", [press.id for press in presses])
    mend = f"name its enrolment again, or `freezetag guard --leave {authority}`"
    where = f"{authority}, which is left out ({mend})"
    return [replace(each, who=f"{each.who} at {where}") for each in presses if each.id in stood]


def leave(latch: LatchFile, authority: str) -> list[Press]:
    """Forgets what was heard of an authority; what stood there. Raises `LatchError`."""
    memory = latch.load()
    if memory is None or authority not in memory.get("links", {}):
        raise LatchError(f"the latch {latch.path} knows no authority {authority!r}")
    try:
        stood = _standing(authority, memory["links"].pop(authority))
    except (StateError, KeyError, TypeError) as error:
        raise LatchError(f"the latch {latch.path} cannot be read: {error!r:.200}") from None
    latch.save(memory)
    return stood
