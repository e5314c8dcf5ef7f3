"""The gates' channel: a WebSocket each, frames up and their answers down, stops pushed.

Plain ASGI, since a press has to reach a thousand of these at once. Nobody is told anything before
a frame of theirs was authentic. A gate that does not read is dropped: it expires.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, final

from freezetag.live.server.places import Place
from freezetag.live.signed.frames import LARGEST, glance

Frames = Callable[[str], Awaitable[str | None]]
"""What the authority answers to a frame; raises `Unknown` where it was not authentic."""
GREETING = 3.0
"""Seconds for the first frame, which must be authentic."""
UNREAD = 64
SPOKEN_FOR = 8
"""Incarnations that one channel is pushed stops of: a gate has one at a time, and its last."""
PER_SECOND = 100.0
"""Frames a second that one channel may send for long; more have to wait."""


class Unknown(Exception):
    """A frame that is not authentic."""


class _Channel:
    """One connection; `deliver` is called in its own loop."""

    def __init__(self, send: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting: deque[str] = deque()
        self.more = asyncio.Event()
        self.names: list[tuple[str, str]] = []
        self._send = send

    def deliver(self, text: str) -> None:
        self.waiting.append(text)
        self.more.set()

    async def write(self) -> None:
        while len(self.waiting) <= UNREAD:
            await self.more.wait()
            self.more.clear()
            while self.waiting:
                await self._send({"type": "websocket.send", "text": self.waiting.popleft()})


@final
class Channels:
    """All open channels, by gate and incarnation. `push` may be called from any thread."""

    def __init__(self, answer: Frames, most: int = 20_000) -> None:
        self._answer, self._most = answer, most
        self._lock = threading.Lock()
        self._by_name: defaultdict[tuple[str, str], set[_Channel]] = defaultdict(set)
        self._open = 0

    def push(self, frames: Iterable[tuple[str, str, str]]) -> int:
        """Sends each (gate, incarnation, text) to whoever speaks for it; how many were reached."""
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[_Channel, str]]]
        by_loop = defaultdict(list)
        with self._lock:
            for gate, b, text in frames:
                for channel in self._by_name.get((gate, b), ()):
                    by_loop[channel.loop].append((channel, text))
        for loop, group in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver, group)
        return sum(map(len, by_loop.values()))

    def reaches(self, gate: str, b: str) -> bool:
        """Whether a stop of this incarnation would be pushed."""
        return bool(self._by_name.get((gate, b)))

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application of one connection."""
        await receive()  # websocket.connect
        if self._open >= self._most:
            await send({"type": "websocket.close", "code": 1013})
            return
        self._open += 1
        channel = _Channel(send)
        try:
            await send({"type": "websocket.accept"})
            writer = asyncio.create_task(channel.write())
            place = scope.get("state", {}).get("place")
            reader = asyncio.create_task(self._read(channel, receive, place))
            _, pending = await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
            if reader in pending or not reader.cancelled():
                await _close(send)
        finally:
            self._open -= 1
            with self._lock:
                for name in channel.names:
                    self._forget(channel, name)

    async def _read(self, channel: _Channel, receive: Any, place: Place | None) -> None:
        """Until the peer goes, sends what is not authentic, or is silent at first."""
        known = False
        allowance, before = PER_SECOND, channel.loop.time()
        while True:
            try:
                event = await asyncio.wait_for(receive(), None if known else GREETING)
            except TimeoutError:
                return
            text = event.get("text")
            if event["type"] != "websocket.receive" or text is None or len(text) > LARGEST:
                return
            now = channel.loop.time()
            allowance = min(PER_SECOND, allowance + (now - before) * PER_SECOND) - 1
            before = now
            if allowance < 0:
                await asyncio.sleep(-allowance / PER_SECOND)
            try:
                answer = await self._answer(text)
            except Unknown:
                return
            known = True
            if place is not None:
                place.known = True
            self._register(channel, _name(text))
            if answer is not None:
                channel.deliver(answer)

    def _register(self, channel: _Channel, name: tuple[str, str]) -> None:
        """A channel speaks for the newest incarnations that it sent authentic frames of."""
        if name in channel.names:
            return
        with self._lock:
            channel.names.append(name)
            self._by_name[name].add(channel)
            while len(channel.names) > SPOKEN_FOR:
                self._forget(channel, channel.names.pop(0))

    def _forget(self, channel: _Channel, name: tuple[str, str]) -> None:
        self._by_name[name].discard(channel)
        if not self._by_name[name]:
            del self._by_name[name]


def _deliver(group: list[tuple[_Channel, str]]) -> None:
    for channel, text in group:
        channel.deliver(text)


def _name(text: str) -> tuple[str, str]:
    message = glance(text)
    return message["gate"], message["b"]


async def _close(send: Any) -> None:
    try:
        await send({"type": "websocket.close", "code": 1008})
    except (RuntimeError, OSError):
        return  # the peer has gone already
