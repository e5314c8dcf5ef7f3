"""What a service does beside its own records where other nodes write into the same ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from freezetag.live.authority.postgres_store import PostgresStore
from freezetag.live.authority.store import News, StoreError
from freezetag.live.server.nodes import Nodes
from freezetag.live.server.startup import restore
from freezetag.live.server.witness import Witness
from freezetag.live.signed.frames import glance

if TYPE_CHECKING:
    from freezetag.live.server.service import Service

COMING_UP = 0.5
"""Seconds between two tries to reach a database that is away."""
LOOK_WITHIN = 1.0
LAPSED = (
    "this node does not see the database now, so another node may have taken a press; it takes "
    "presses, and stops its own gates."
)
UNTOLD = (
    "taken by this node, which stops its own gates; not yet stored, so the other nodes are not told"
)


@final
class SharedLedger:
    """Of one service. `learned` is called in its writer's thread."""

    def __init__(self, service: Service, store: PostgresStore) -> None:
        settings = service.home.settings
        self._service, self._store = service, store
        self.nodes = Nodes(service.authority, settings.node, settings.node_lease, service.clock)
        self._witness = Witness(service.home.path / "witness.json", service.clock)
        store.tells = self._tells
        store.woken(lambda: service.writer.look())
        service.doubts["node"] = LAPSED

    def open(self) -> bool:
        """Whether the database can be read now."""
        told = (each for each in self._service.gate_addresses if each.startswith("http"))
        self._store.addresses = tuple(told)
        return self._store.come_up()

    def come_up(self) -> None:
        """Until the database can be read: a press works meanwhile, and nothing is granted."""
        service = self._service
        while not service.closing:
            time.sleep(COMING_UP)
            if not self._store.come_up():
                service.doubts["ledger"] = f"the ledger cannot be read: {self._store.shut}"
                continue
            found = restore(service.home, self._store)
            with service.lock:
                if doubt := service.restored(found):
                    service.doubts["ledger"] = doubt
                else:
                    service.settle("ledger")
            service.verify()
            return

    def problem(self) -> str:
        """Why it is not known what this node saw before; "" if it is, or the database is shut."""
        return "" if self._store.shut else self._witness.problem()

    def seen(self) -> tuple[int, str] | None:
        """The head that this node saw last; None if none, or if the database is shut."""
        return None if self._store.shut else self._witness.seen()

    def learned(self, news: News) -> None:
        """What other nodes wrote is applied, and their presses are pushed."""
        service = self._service
        frames: list[tuple[str, str, str]] = []
        waiting: list[Callable[[], None]] = []
        with service.lock:
            if news.leaves:
                try:
                    waiting, kinds = service.taken(news.leaves, news.note or service.note)
                except Exception as error:
                    kinds = frozenset({"press"})
                    service.doubt("ledger", f"a record of another node cannot be read: {error!r}")
                if kinds & {"press", "repeat", "enrol"}:
                    frames = service.authority.stop_frames()
            self.nodes.hear(news.nodes)
            self.nodes.synchronous = news.synchronous
            if self._store.doubted and "ledger" not in service.doubts:
                service.doubt("ledger", news.doubt)
            if news.doubt:
                service.doubt("node", news.doubt)
            else:
                self.nodes.renew(news.sent)
        service.channels.push(frames)
        for call in waiting:
            call()
        if news.failover:
            self._failed_over(news.failover, news.doubt)
        if "node" in service.doubts and not news.doubt and self.nodes.holds:
            service.settle("node")
        elif news.leaves:
            service.notify()
        if "rollback" not in service.doubts:
            self._witness.saw(service.tree)

    def lapse(self) -> None:
        """Locks a node that has not seen the database for R."""
        if "node" not in self._service.doubts and not self.nodes.holds:
            self._service.doubt("node", LAPSED)

    async def caught_up(self, text: str) -> bool:
        """Whether we hold all that this gate saw, perhaps at another node, or surely lack it."""
        try:
            size = glance(text)["size"]
            if type(size) is not int or size <= self._service.tree.size:
                return True
        except (ValueError, LookupError, TypeError, RecursionError):
            return True  # not authentic, which is told next
        try:
            looked = asyncio.wrap_future(self._service.writer.look())
            await asyncio.wait_for(looked, LOOK_WITHIN)
        except (OSError, StoreError, TimeoutError):
            return False
        return True

    def await_first_look(self, within: float = 2.0) -> None:
        """Waits, for a short while, until this node sees the database, or it is known why not."""
        doubts, end = self._service.doubts, time.monotonic() + within
        while doubts.get("node") == LAPSED and "ledger" not in doubts and time.monotonic() < end:
            time.sleep(0.01)

    def _tells(self) -> str:
        with self._service.lock:
            return self.nodes.tells(self._service.present_at)

    def _failed_over(self, who: str, why: str) -> None:
        """Whether all that was answered as stored came through, nobody knows: that is for people.

        So it is a press for the fleet, which two of them clear.
        """
        facts = self._service.authority.facts
        with self._service.lock:
            pressed = any(press.who == who for press in facts.presses.standing(facts.roster))
        if not pressed:
            self._service.press("fleet", who, why, kind="interlock")
