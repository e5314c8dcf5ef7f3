"""One writer thread: records in the order in which they were handed over, committed in groups.

A commit that fails is tried again, in the same order, with the records that can only stop or tell;
those that would let something go on (`FREEING`) fail as soon as it is known that they were not
written, so that they cannot come true later. Meanwhile `trouble` says why.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, final

from freezetag.live.authority.store import Store, StoreError
from freezetag.live.signed.merkle import record
from freezetag.live.signed.records import FREEING

BATCH = 2048
RETRY = 0.1
UNOPENED = "it could not be opened"
Committed = Callable[[int, Sequence[bytes], str], None]
"""Told in the writer's thread: the first index, the leaves that are durable now, the note."""


@dataclass
class _Item:
    kind: str
    body: Mapping[str, Any]
    at: int
    done: Future[int]


@final
class Writer:
    """Owns a `Store` from `start` to `close`."""

    def __init__(
        self, store: Store, committed: Committed, now: Callable[[], float] = time.time
    ) -> None:
        self.trouble = UNOPENED if store.shut else ""
        self._store, self._committed, self._now = store, committed, now
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._begun: float | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, kind: str, body: Mapping[str, Any]) -> Future[int]:
        """Hands a record over; the future gives its index once it is durable and applied."""
        item = _Item(kind, body, int(self._now() * 1000), Future())
        self._queue.put(item)
        return item.done

    def stalled(self) -> float:
        """Seconds that the transaction under way has taken so far; 0 if there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    def close(self, timeout: float = 5.0) -> None:
        """Commits what was handed over and ends; a file system that hangs is left behind."""
        self._queue.put(None)
        self._thread.join(timeout)
        if not self._thread.is_alive():
            self._store.close()

    def _run(self) -> None:
        batch: list[_Item] = []
        more = True
        while more or batch:
            more = self._gather(batch) if more else False
            if not batch:
                continue
            self._begun = time.monotonic()
            batch = self._commit(batch)
            self._begun = None
            if batch and not more:
                break  # closing, and it cannot be written
            if batch:
                time.sleep(RETRY)
        for item in batch:
            item.done.set_exception(StoreError(f"not written: {self.trouble}"))

    def _gather(self, batch: list[_Item]) -> bool:
        """Adds what waits to the batch; waits itself only for a first record. False: closing."""
        while len(batch) < BATCH:
            try:
                item = self._queue.get(block=not batch)
            except queue.Empty:
                return True
            if item is None:
                return False
            if item.done.set_running_or_notify_cancel():
                batch.append(item)
        return True

    def _commit(self, batch: list[_Item]) -> list[_Item]:
        """What is still to be written."""
        leaves: list[bytes] = []
        good: list[_Item] = []
        first = self._store.head.size
        for item in batch:
            try:
                leaves.append(record(first + len(leaves), item.kind, item.body, item.at))
                good.append(item)
            except ValueError as error:  # no canonical form: never to be written
                item.done.set_exception(StoreError(f"not written: {error}"))
        if not leaves:
            return []
        try:
            note = self._store.insert(leaves, [(item.kind, item.body) for item in good])
        except (sqlite3.Error, OSError, StoreError) as error:
            told = f"{type(error).__name__}: {error}"
            self.trouble = UNOPENED if self._store.shut else told
            with contextlib.suppress(sqlite3.Error, OSError, StoreError):
                if (found := self._store.settle(leaves)) is not None:
                    self._tell(first, leaves, found, good)
                    return []
                return self._kept(good)
            return good  # what became of it is not known yet
        self._tell(first, leaves, note, good)
        return []

    def _kept(self, batch: list[_Item]) -> list[_Item]:
        for item in batch:
            if item.kind in FREEING:
                item.done.set_exception(StoreError(f"not written: {self.trouble}"))
        return [item for item in batch if item.kind not in FREEING]

    def _tell(self, first: int, leaves: list[bytes], note: str, batch: list[_Item]) -> None:
        self.trouble = ""
        failure: Exception | None = None
        try:
            self._committed(first, leaves, note)
        except Exception as error:  # durable all the same, whatever the listener made of it
            failure = error
        for n, item in enumerate(batch):
            if failure is None:
                item.done.set_result(first + n)
            else:
                item.done.set_exception(failure)
