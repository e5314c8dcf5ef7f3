"""Threads that stand ready to carry out a gate's orders.

They are made before the agent runs: what it starts can leave no room for another thread, and a stop
that waits for one would come too late.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import final

from freezetag.live.gate.drain import Order

KINDS = ("cancel", "policy", "kill")
"""One thread each, so that a prepared stop which hangs holds up no kill."""
AGAIN = 0.5
"""Seconds after which a kill that raised is tried again."""


@final
class OrderThreads:
    """`give` an order and its thread calls `obey`; `done` is called after it, `alarm` with why it
    failed. A kill that fails is tried until it does not."""

    def __init__(
        self,
        name: str,
        obey: Callable[[Order], object],
        *,
        done: Callable[[], None] = lambda: None,
        alarm: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._obey, self._done, self._alarm = obey, done, alarm
        self._orders: dict[str, queue.SimpleQueue[Order | None]] = {}
        for kind in KINDS:
            orders = self._orders[kind] = queue.SimpleQueue()
            threading.Thread(
                target=self._run, args=(orders,), name=f"{name} {kind}", daemon=True
            ).start()

    def give(self, order: Order) -> None:
        """Never waits."""
        self._orders[order.kind].put(order)

    def close(self) -> None:
        """The threads end once what they were given is done."""
        for orders in self._orders.values():
            orders.put(None)

    def _run(self, orders: queue.SimpleQueue[Order | None]) -> None:
        while (order := orders.get()) is not None:
            while not self._carried_out(order):
                time.sleep(AGAIN)

    def _carried_out(self, order: Order) -> bool:
        try:
            self._obey(order)
        except Exception as error:
            self._alarm(f"{order.kind}: {type(error).__name__}: {error}")
            return order.kind != "kill"
        self._done()
        return True
