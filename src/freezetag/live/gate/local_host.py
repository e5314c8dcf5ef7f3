"""A gate's host for an authority in the same process: nothing to connect, nothing to lose.

The same shape as `remote_host.GateHost`, so that whoever supervises need not know which it has.
What expires here is the *authority's* will (a store that hangs, a limit that is passed), not a
network.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import final

from freezetag.live.gate.drain import Order
from freezetag.live.gate.gate import STOPPED, WAITING, Gate
from freezetag.live.gate.order_threads import OrderThreads
from freezetag.live.signed.frames import glance

TICK = 0.05


@final
class OwnHost:
    """Ticks `gate` 20 times a second and hands its frames to `answer`; the reply goes back.

    `on_order` gets `cancel`, `policy` and `kill`, each in a thread of its own (`OrderThreads`);
    `alarm` gets why it failed. Frames go by a thread, too: an `answer` that raises, or hangs on a
    disk, is not an answer, and the lease runs out.
    """

    def __init__(
        self,
        gate: Gate,
        answer: Callable[[str], str | None],
        *,
        on_order: Callable[[Order], None] = lambda order: None,
        alarm: Callable[[str], None] = lambda why: None,
        length: float = 5.0,
    ) -> None:
        self.gate = gate
        self._answer, self._on_order, self._length = answer, on_order, length
        self._alarm = alarm
        self._threads: OrderThreads | None = None
        self._wake, self._closing = threading.Event(), False
        self._frames: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._asked = self._taken = 0  # renewals; each is counted by one thread
        name = f"gate {gate.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._teller = threading.Thread(target=self._tell, name=f"{name} frames", daemon=True)

    def poke(self) -> None:
        """There are orders; from any thread."""
        self._wake.set()

    def start(self) -> OwnHost:
        self._threads = OrderThreads(f"gate {self.gate.name}", self._on_order, alarm=self._alarm)
        self._thread.start()
        self._teller.start()
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Closes the gate and waits for its acknowledgement to be recorded."""
        self.gate.close()
        if not self._thread.is_alive():
            return
        end = time.monotonic() + timeout
        while self.gate.phase != STOPPED and time.monotonic() < end:
            self.poke()
            time.sleep(0.005)
        self._closing = True
        self.poke()
        self._thread.join(timeout)
        self._frames.put(None)
        self._teller.join(timeout)
        if self._threads is not None:
            self._threads.close()

    def _run(self) -> None:
        asked, phase = -self._length, ""
        while True:
            last = self._closing
            self.gate.tick()
            pause = TICK if self.gate.phase == WAITING else self._length / 3
            # A change of phase is told at once, so that a press of the gate's own is on record.
            if last or self.gate.phase != phase or time.monotonic() - asked >= pause:
                asked, phase = time.monotonic(), self.gate.phase
                self.gate.ask()
            while orders := self.gate.take():
                for order in orders:
                    self._obey(order)
            if last:
                return
            self._wake.wait(TICK)
            self._wake.clear()

    def _obey(self, order: Order) -> None:
        if order.kind == "send":
            self._asked += _is_renewal(order)
            self._frames.put(order)
        elif self._threads is not None:
            self._threads.give(order)

    def _tell(self) -> None:
        while (order := self._frames.get()) is not None:
            if _is_renewal(order):
                self._taken += 1
                # Behind a slow disk they pile up; the lease of an old one would be over already.
                if self._taken < self._asked:
                    continue
            try:
                reply = self._answer(order.text)
            except Exception:
                continue
            if reply is not None:
                self.gate.receive(order.authority, reply)


def _is_renewal(order: Order) -> bool:
    return bool(glance(order.text)["kind"] == "renew")
