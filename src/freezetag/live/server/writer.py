"""One writer thread: records in the order in which they were handed over, committed in groups.

A commit that fails is tried again, in the same order, with the records that can only stop or tell;
those that would let something go on (`FREEING`) fail as soon as it is known that they were not
written, so that they cannot come true later. Meanwhile `trouble` says why.

Where other nodes write into the same ledger, what they wrote comes first: it is applied in the
order of the ledger, and what was decided without it and would let something go on fails. Between
records the writer looks for news by itself, each `Store.period` seconds and whenever it is told to.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, final

from freezetag.live.authority.store import News, Store, StoreError
from freezetag.live.signed.browser_key import is_assertion
from freezetag.live.signed.merkle import record
from freezetag.live.signed.records import DECIDING, FREEING, SHARING

BATCH = 2048
RETRY = 0.1
UNOPENED = "it could not be opened"
Committed = Callable[[Sequence[bytes], str], None]
"""Told in the writer's thread: the leaves that are durable now, and the note."""
Learned = Callable[[News], None]
"""Told in the writer's thread: what other nodes wrote, and that the store answered."""


@dataclass
class _Item:
    kind: str
    body: Mapping[str, Any]
    at: int
    done: Future[int]
    seen: tuple[int, int]  # how many deciding and sharing records of others it was decided with


@final
class Writer:
    """Owns a `Store` from `start` to `close`."""

    def __init__(
        self,
        store: Store,
        committed: Committed,
        now: Callable[[], float] = time.time,
        learned: Learned | None = None,
    ) -> None:
        # Why a database is shut is told by itself, and may pass.
        self.trouble = UNOPENED if store.shut and store.period is None else ""
        self._store, self._committed, self._now = store, committed, now
        self._learned = learned or self._as_ours
        self._tried: tuple[int, list[bytes], list[_Item]] | None = None  # of unknown fate
        self._others = 0, 0  # deciding and sharing records of other nodes, so far
        self._looking: list[Future[None]] = []
        self._queue: queue.SimpleQueue[_Item | Future[None] | None] = queue.SimpleQueue()
        self._begun: float | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, kind: str, body: Mapping[str, Any]) -> Future[int]:
        """Hands a record over; the future gives its index once it is durable and applied."""
        item = _Item(kind, body, int(self._now() * 1000), Future(), self._others)
        self._queue.put(item)
        return item.done

    def look(self) -> Future[None]:
        """Looks what other nodes wrote; done once that is applied, failed if nobody can say."""
        looked: Future[None] = Future()
        self._queue.put(looked)
        return looked

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
                self._look()
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
        """Adds what waits to the batch; waits itself only for a first record, or until it is time
        to look what others wrote. False: closing."""
        block = not batch
        while len(batch) < BATCH:
            try:
                item = self._queue.get(block, self._store.period if block else None)
            except queue.Empty:
                return True
            if item is None:
                return False
            if isinstance(item, Future):
                self._looking.append(item)
                block = False
            elif item.done.set_running_or_notify_cancel():
                batch.append(item)
                block = False
        return True

    def _look(self) -> None:
        if self._store.period is None:
            self._answered(None)
            return
        try:
            self._learn(self._store.look())
            self.trouble = ""
        except (OSError, StoreError) as error:
            self._answered(error)

    def _learn(self, news: News) -> None:
        """What others wrote is applied, and whoever waited for a look is told."""
        failure, others = None, self._counted(news)
        try:
            self._learned(news)
        except Exception as error:
            failure = error
        self._others = others  # not before: what is decided until then has not seen it
        self._answered(failure)

    def _as_ours(self, news: News) -> None:
        if news.leaves:
            self._committed(news.leaves, news.note)

    def _answered(self, failure: Exception | None) -> None:
        waiting, self._looking = self._looking, []
        for each in waiting:
            if not each.set_running_or_notify_cancel():
                continue  # whoever asked waits no more
            if failure is None:
                each.set_result(None)
            else:
                each.set_exception(failure)

    def _counted(self, news: News) -> tuple[int, int]:
        told = [(each["kind"], each["body"]) for each in map(json.loads, news.leaves)]
        deciding, sharing = self._others
        return (
            deciding + sum(kind in DECIDING or _in_order(kind, body) for kind, body in told),
            sharing + sum(kind in SHARING for kind, _ in told),
        )

    def _stale(self, item: _Item, others: tuple[int, int], news: News) -> str:
        """Why it must be decided again; "" if it may be written."""
        if item.kind in FREEING and news.doubt:
            return news.doubt
        ordered = item.kind != "clear" or _in_order(item.kind, item.body)
        if item.kind in FREEING and ordered and item.seen[0] != others[0]:
            return "another node wrote meanwhile: look again, and repeat it"
        if item.body.get("allowed") and item.seen[1] != others[1]:
            return "another node handed out a part of the budget meanwhile"
        return ""

    def _commit(self, batch: list[_Item]) -> list[_Item]:
        """What is still to be written."""
        if self._tried is not None:
            return self._settled(batch)
        leaves: list[bytes] = []
        good: list[_Item] = []
        try:
            news = self._store.begin()
        except (sqlite3.Error, OSError, StoreError) as error:
            self._failed(error)
            return self._kept(batch)
        first, others = news.end, self._counted(news)
        for item in batch:
            if why := self._stale(item, others, news):
                item.done.set_exception(StoreError(f"not written: {why.rstrip('.')}."))
                continue
            try:
                leaves.append(record(first + len(leaves), item.kind, item.body, item.at))
                good.append(item)
            except ValueError as error:  # no canonical form: never to be written
                item.done.set_exception(StoreError(f"not written: {error}"))
        if not leaves and self._store.period is None:
            return []
        try:
            note = self._store.insert(leaves, [(item.kind, item.body) for item in good])
        except (sqlite3.Error, OSError, StoreError) as error:
            self._failed(error)
            self._tried = first, leaves, good
            return self._settled([*good])  # to which more may be added while this is not known
        self._learn(news)
        if leaves:
            self._tell(first, leaves, note, good)
        return []

    def _failed(self, error: Exception) -> None:
        self.trouble = UNOPENED if self._store.shut else f"{type(error).__name__}: {error}"
        self._answered(error)

    def _settled(self, batch: list[_Item]) -> list[_Item]:
        """What is left of a batch: what was tried last is there, or is to be tried again."""
        assert self._tried is not None
        first, leaves, good = self._tried
        try:
            news = self._store.settle(leaves)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._answered(error)
            return batch  # what became of it is not known yet
        self._tried = None
        rest = batch[len(good) :]  # came since
        at = first - news.first
        if not leaves or list(news.leaves[at : at + len(leaves)]) != leaves:
            self._learn(news)
            return [*self._kept(good), *rest]
        theirs = (*news.leaves[:at], *news.leaves[at + len(leaves) :])
        others = self._counted(replace(news, leaves=theirs))
        self._tell(news.first, news.leaves, news.note, good, first)
        self._others = others
        self._learn(replace(news, first=news.end, leaves=()))
        return rest

    def _kept(self, batch: list[_Item]) -> list[_Item]:
        for item in batch:
            if item.kind in FREEING:
                item.done.set_exception(StoreError(f"not written: {self.trouble}"))
        return [item for item in batch if item.kind not in FREEING]

    def _tell(
        self,
        first: int,
        leaves: Sequence[bytes],
        note: str,
        batch: list[_Item],
        mine: int | None = None,
    ) -> None:
        """These are durable; those of the batch among them begin at `mine`, else at the first."""
        self.trouble = ""
        failure: Exception | None = None
        try:
            self._committed(leaves, note)
        except Exception as error:  # durable all the same, whatever the listener made of it
            failure = error
        for n, item in enumerate(batch, first if mine is None else mine):
            if failure is None:
                item.done.set_result(n)
            else:
                item.done.set_exception(failure)


def _in_order(kind: str, body: Mapping[str, Any]) -> bool:
    """Whether a clearance counts by what else is recorded before it: what it names is fixed by
    what its signers saw, and a browser's key may be taken back, or its counter be passed."""
    signatures = body.get("signatures")
    return (
        kind == "clear"
        and isinstance(signatures, Mapping)
        and any(map(is_assertion, signatures.values()))
    )
