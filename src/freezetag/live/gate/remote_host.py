"""A gate's host on the wire: moves the gate's frames to its authorities and back.

A WebSocket to the first address that takes one, so that a stop is pushed; while there is none, each
frame is POSTed to every address, and the answer to it is all that comes back. Nothing is decided
here: a host that loses every frame leaves its gate to expire.

    gate = Gate(panel, enrolments=[Enrolment.load(file)], poke=lambda: host.poke(), ...)
    host = GateHost(gate, [Line.load(file)], on_order=obey)
    host.start()
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import UserError
from freezetag.live.gate.address import Denied, Unreachable, request
from freezetag.live.gate.drain import Order
from freezetag.live.gate.gate import STOPPED, Gate
from freezetag.live.gate.order_threads import AGAIN, OrderThreads
from freezetag.live.signed.frames import glance

TICK = 0.05
PATIENCE = 1.0
"""Seconds a connection or an answer may take, if the lease is not shorter."""
WAITING_FRAMES = 64
Handler = Callable[[Order], Awaitable[None] | None]


@final
@dataclass(frozen=True)
class Line:
    """Where one authority takes frames: `http://HOST:PORT`, `https://…` or `unix:PATH`, in order.

    `certificates` is a file of pinned certificates for `https`.
    """

    authority: str
    addresses: tuple[str, ...]
    certificates: str = ""

    @classmethod
    def load(cls, path: str | Path) -> Line:
        """From the file that `freezetag enrol` wrote. Raises `UserError`."""
        try:
            data = json.loads(Path(path).read_bytes())
            addresses = tuple(map(str, data["addresses"]))
            line = cls(str(data["authority"]), addresses, str(data.get("certificates", "")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{path} names no addresses: {type(error).__name__}: {error}. "
                "Make the file with `freezetag enrol`."
            ) from None
        try:
            if line.certificates:
                Path(line.certificates).read_bytes()
        except OSError as error:
            raise UserError(
                f"{path} trusts the certificates in {line.certificates} alone, and that cannot be "
                f"read here: {error.strerror}. Copy it there, or enrol again where it lies."
            ) from None
        return line


@dataclass
class _State:
    """What is under way on one line."""

    line: Line
    waiting: deque[str] = field(default_factory=lambda: deque(maxlen=WAITING_FRAMES))
    more: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: str = ""
    connected: bool = False
    heard: float = 0.0

    @contextlib.contextmanager
    def sending(self) -> Iterator[str]:
        """The oldest frame that waits; an acknowledgement that does not leave waits again."""
        self.leaving = text = self.waiting.popleft()
        try:
            yield text
        except BaseException:
            if _kind(text) == "ack":
                self.waiting.append(text)
            raise
        finally:
            self.leaving = ""

    @property
    def owes(self) -> bool:
        """Whether an acknowledgement has not left yet."""
        there = (*self.waiting, self.leaving)
        return any(_kind(text) == "ack" for text in there if text)


@final
class GateHost:
    """Ticks a gate and moves its orders; in a thread (`start`, `close`) or as a task (`run`).

    `on_order` gets `cancel`, `policy` and `kill`, each in a thread of its own (`OrderThreads`) or,
    if it is a coroutine function, as a task; a `kill` that raises is ordered again. With `reopen`,
    a stopped gate starts its next incarnation by itself; what ran is for the caller to start again.
    Give the gate `poke=lambda: host.poke()` to have orders moved at once and not at the next tick.
    """

    def __init__(
        self,
        gate: Gate,
        lines: Sequence[Line],
        *,
        length: float = 5.0,
        on_order: Handler | None = None,
        reopen: bool = True,
        tick: float = TICK,
    ) -> None:
        self.gate = gate
        self.alarms: deque[str] = deque(maxlen=100)
        self._lines = {line.authority: line for line in lines}
        self._length, self._on_order, self._reopen, self._tick = length, on_order, reopen, tick
        self._states: dict[str, _State] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._closing = False
        self._parted = threading.Event()  # the gate has stopped, and all that it said has left
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads: OrderThreads | None = None

    @property
    def authorities(self) -> tuple[str, ...]:
        """Whose leases it fetches."""
        return tuple(self._lines)

    def connected(self, authority: str) -> bool:
        """Whether a stop of this authority would be pushed to us."""
        state = self._states.get(authority)
        return state is not None and state.connected

    def poke(self) -> None:
        """There are orders; from any thread."""
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(wake.set)

    def start(self) -> GateHost:
        """Runs in a daemon thread until `close`."""
        self._stand_ready()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.run()), name=f"gate {self.gate.name}", daemon=True
        )
        self._thread.start()
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Closes the gate, waits up to `timeout` seconds for its acknowledgement to leave, ends."""
        self.gate.close()
        self._parted.clear()
        deadline = time.monotonic() + timeout
        while self._thread is not None and time.monotonic() < deadline:
            self.poke()
            if self._parted.wait(0.01):
                break
        self._closing = True
        self.poke()
        if self._thread is not None:
            self._thread.join(timeout)

    async def run(self) -> None:
        """Ticks and moves frames until `close` or cancellation."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._states = {name: _State(line) for name, line in self._lines.items()}
        self._stand_ready()
        movers = [asyncio.create_task(self._move(state)) for state in self._states.values()]
        try:
            await self._beat()
        finally:
            self._closing = True  # a cancellation can be lost on its way through `wait_for`
            for task in (*movers, *self._tasks):
                task.cancel()
            await asyncio.gather(*movers, *self._tasks, return_exceptions=True)
            if self._threads is not None:
                self._threads.close()
                self._threads = None
            self._loop = None

    def _stand_ready(self) -> None:
        """Makes what orders will need. Twice is harmless."""
        handler = self._on_order
        if self._threads or handler is None or inspect.iscoroutinefunction(handler):
            return
        name = f"gate {self.gate.name}"
        self._threads = OrderThreads(name, handler, done=self.poke, alarm=self.alarms.append)

    async def _beat(self) -> None:
        assert self._loop is not None
        assert self._wake is not None
        asked, most = -self._length, min(self._tick, self._length / 20)
        while not self._closing:
            try:
                asked = self._once(asked)
            except Exception as error:  # a fault of ours must not end the beat
                self.alarms.append(f"{type(error).__name__}: {error}")
            self._wake.clear()
            timer = self._loop.call_later(most, self._wake.set)  # half the cost of `wait_for`
            await self._wake.wait()
            timer.cancel()

    def _once(self, asked: float) -> float:
        """One beat; when renewals were asked for last."""
        stopped = self.gate.phase == STOPPED
        self.gate.tick()  # takes the gate's lock: what that stop has to say is ordered after it
        if self._reopen and self.gate.phase == STOPPED and self.gate.reopen():
            asked, stopped = -self._length, False
        if time.monotonic() - asked >= self._length / 3:
            asked = time.monotonic()
            self.gate.ask()
        self._dispatch()
        if stopped and not any(state.owes for state in self._states.values()):
            self._parted.set()
        return asked

    def _dispatch(self) -> None:
        for order in self.gate.take():
            if order.kind == "send":
                state = self._states.get(order.authority)
                if state is not None:
                    _enqueue(state, order.text)
            elif self._threads is not None:
                self._threads.give(order)
            elif self._on_order is not None:
                task = asyncio.create_task(self._obey(order))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _obey(self, order: Order) -> None:
        handler: Any = self._on_order
        while True:
            try:
                await handler(order)
                self.poke()
                return
            except Exception as error:
                self.alarms.append(f"{order.kind}: {type(error).__name__}: {error}")
                if order.kind != "kill":
                    return
            await asyncio.sleep(AGAIN)

    async def _move(self, state: _State) -> None:
        """One line, to the end: a WebSocket where one can be had, else POST, and again."""
        patience = min(PATIENCE, self._length / 3)
        while not self._closing:
            for address in state.line.addresses:
                with contextlib.suppress(Exception):
                    await self._connected(state, address, patience)
                state.connected = False
            await self._posted(state, patience)
            await asyncio.sleep(min(0.1, self._length / 20))

    async def _connected(self, state: _State, address: str, patience: float) -> None:
        """A WebSocket until it fails, or until nothing was heard for two thirds of a lease."""
        async with _websocket(address, state.line.certificates, patience) as socket:
            self.gate.ask()
            self._dispatch()
            state.heard = time.monotonic()
            reader = asyncio.create_task(self._read(state, socket))
            try:
                while not (reader.done() or self._closing):
                    while state.waiting:
                        with state.sending() as text:
                            await asyncio.wait_for(socket.send(text), patience)
                    state.more.clear()
                    wake = asyncio.create_task(state.more.wait())
                    await asyncio.wait(
                        (wake, reader), timeout=patience, return_when=asyncio.FIRST_COMPLETED
                    )
                    wake.cancel()
                    if time.monotonic() - state.heard > 2 * self._length / 3:
                        return  # half-open: the renewals of the last two periods met silence
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, state: _State, socket: Any) -> None:
        async for text in socket:
            if self.gate.receive(state.line.authority, text):
                state.heard, state.connected = time.monotonic(), True
            self._dispatch()

    async def _posted(self, state: _State, patience: float) -> None:
        for _ in range(len(state.waiting)):
            if state.waiting:  # a renewal may have gone meanwhile
                with contextlib.suppress(Unreachable), state.sending() as text:
                    await self._post_to_one(state, text, patience)
        self._dispatch()

    async def _post_to_one(self, state: _State, text: str, patience: float) -> None:
        """To the first address that takes it. Raises `Unreachable`."""
        for address in state.line.addresses:
            try:
                answer = await asyncio.to_thread(_post, address, text, state.line, patience)
            except (Unreachable, Denied, RuntimeError):  # the last: no room for a thread
                continue
            if answer:
                self.gate.receive(state.line.authority, answer)
            return
        raise Unreachable(state.line.authority)


def _post(address: str, text: str, line: Line, patience: float) -> Any:
    return request(
        address,
        "POST",
        "/api/frame",
        text,
        timeout=patience,
        certificates=line.certificates,
    )


def _enqueue(state: _State, text: str) -> None:
    """A newer renewal takes the place of one not yet sent; acknowledgements all go."""
    if _kind(text) == "renew":
        for old in [frame for frame in state.waiting if _kind(frame) == "renew"]:
            state.waiting.remove(old)
    state.waiting.append(text)
    state.more.set()


def _kind(text: str) -> str:
    return str(glance(text)["kind"])


def _websocket(address: str, certificates: str, patience: float) -> Any:
    from websockets.asyncio.client import connect, unix_connect

    options: dict[str, Any] = {
        "open_timeout": patience,
        "close_timeout": 0.2,
        "ping_interval": None,  # renewals and their answers are the heartbeat
        "compression": None,
    }
    if address.startswith("unix:"):
        return unix_connect(address.removeprefix("unix:"), "ws://localhost/gate", **options)
    uri = "ws" + address.removeprefix("http").rstrip("/") + "/gate"
    if uri.startswith("wss"):
        import ssl

        options["ssl"] = ssl.create_default_context(cafile=certificates or None)
    return connect(uri, proxy=None, **options)
