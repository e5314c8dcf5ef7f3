"""A proxy between gates and servers: it cuts, holds, loses, delays, flips, repeats and reorders."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from tests.live.chaos import shared
from tests.live.chaos.shared import (
    CUT,
    DRIP,
    FLIP,
    HOLD_DOWN,
    HOLD_UP,
    LATE,
    LENGTH,
    LOSE_DOWN,
    LOSE_UP,
    SHUFFLE,
    Controls,
)

Link = tuple[str, str]
BREATH = 0.005


def run(
    sockets: Mapping[Link, socket.socket], homes: Mapping[str, Path], controls: Controls, seed: int
) -> None:
    """Serves every link until it is killed."""
    shared.die_with_parent()
    asyncio.run(_Proxy(homes, controls, seed).serve(sockets))


class _Proxy:
    def __init__(self, homes: Mapping[str, Path], controls: Controls, seed: int) -> None:
        self._homes, self._controls, self._dice = homes, controls, random.Random(seed)
        self._asked: deque[bytes] = deque(maxlen=20)
        self._answers: dict[Link, deque[bytes]] = {}
        self._open: dict[asyncio.Event, Link] = {}

    async def serve(self, sockets: Mapping[Link, socket.socket]) -> None:
        servers = []
        asyncio.get_running_loop().add_reader(self._controls.changed, self._on_change)
        for link, made in sockets.items():
            self._answers[link] = deque(maxlen=20)

            async def take(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link = link
            ) -> None:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                    await self._connection(link, reader, writer)
                writer.transport.abort()

            servers.append(await asyncio.start_server(take, sock=made))
        await asyncio.Event().wait()

    def _on_change(self) -> None:
        """A connection ends when its link is cut, or when it is to be reordered from now on."""
        self._controls.changed.recv(1)
        for over, link in self._open.items():
            if self._bits(link) & (CUT | SHUFFLE):
                over.set()

    def _bits(self, link: Link) -> int:
        return self._controls.link(*link)

    async def _upstream(self, link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        told = json.loads((self._homes[link[1]] / "listening.json").read_bytes())["gates"]
        address = next(each for each in told if each.startswith("http"))
        host, _, port = address.removeprefix("http://").rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _connection(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._bits(link) & CUT:
            return
        if self._bits(link) & SHUFFLE:
            await self._shuffled(link, reader, writer)
            return
        up_reader, up_writer = await self._upstream(link)
        up = asyncio.create_task(self._pipe(link, reader, up_writer, HOLD_UP, LOSE_UP))
        down = asyncio.create_task(self._pipe(link, up_reader, writer, HOLD_DOWN, LOSE_DOWN))
        self._open[over := asyncio.Event()] = link
        watch = asyncio.create_task(over.wait())
        if self._bits(link) & (CUT | SHUFFLE):  # since we looked
            over.set()
        try:
            await asyncio.wait((up, down, watch), return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._open[over]
            for task in (up, down, watch):
                task.cancel()
            await asyncio.gather(up, down, watch, return_exceptions=True)
            up_writer.transport.abort()

    async def _pipe(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hold: int,
        lose: int,
    ) -> None:
        lost = False
        while data := await reader.read(65536):
            while self._bits(link) & hold:
                await asyncio.sleep(BREATH)
            bits = self._bits(link)
            if bits & LATE:
                await asyncio.sleep(self._dice.uniform(0, 1.2 * LENGTH))
            # What was lost breaks the stream, so nothing more of this connection arrives.
            lost = lost or bool(bits & lose)
            if bits & FLIP and self._dice.random() < 0.5:
                changed = bytearray(data)
                changed[self._dice.randrange(len(data))] ^= 1 << self._dice.randrange(8)
                data = bytes(changed)
            while data and not lost:
                size = self._dice.randint(1, 40) if bits & DRIP else len(data)
                writer.write(data[:size])
                await writer.drain()
                data = data[size:]
                if bits & DRIP:
                    await asyncio.sleep(0.001)

    async def _shuffled(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """No WebSocket. A POST arrives late, several times, among older ones; so do answers."""
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"POST"):
            return
        lines = head.lower().split(b"\r\n")
        length = next(int(x.partition(b":")[2]) for x in lines if x.startswith(b"content-length"))
        asked = head + await reader.readexactly(length)
        self._asked.append(asked)
        await asyncio.sleep(self._dice.uniform(0, 0.5 * LENGTH))
        before = [self._dice.choice(self._asked) for _ in range(self._dice.randrange(3))]
        for older in before:
            await self._exchange(link, older)
        answer = await self._exchange(link, asked)
        known = self._answers[link]
        known.append(answer)
        writer.write(self._dice.choice(known) if self._dice.random() < 0.3 else answer)
        await writer.drain()

    async def _exchange(self, link: Link, asked: bytes) -> bytes:
        reader, writer = await self._upstream(link)
        try:
            writer.write(asked.replace(b"keep-alive", b"close"))
            await writer.drain()
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LENGTH)
            lines = head.lower().split(b"\r\n")
            length = next(
                (int(x.partition(b":")[2]) for x in lines if x.startswith(b"content-length")), 0
            )
            return head + await reader.readexactly(length)
        except TimeoutError:
            return b""
        finally:
            writer.transport.abort()
