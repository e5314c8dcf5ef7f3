"""A proxy between the nodes and their databases that cuts, holds and delays, in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import random
import socket
from collections.abc import Mapping
from typing import final

from tests.live.chaos import shared

NODES = ("a", "b")
CUT, HOLD_UP, HOLD_DOWN, LATE = (1 << n for n in range(4))
"""CUT ends what is open and refuses; HOLD keeps it open and silent, one way; LATE delays."""
BREATH = 0.004


@final
class Switches:
    """What each node's link does, and which port it leads to; in memory that forks share."""

    def __init__(self) -> None:
        self._page = memoryview(mmap.mmap(-1, 4096)).cast("Q")

    def bits(self, node: str) -> int:
        return int(self._page[NODES.index(node)])

    def set(self, node: str, bits: int) -> None:
        self._page[NODES.index(node)] = bits

    def port(self, node: str) -> int:
        return int(self._page[10 + NODES.index(node)])

    def lead(self, node: str, port: int) -> None:
        self._page[10 + NODES.index(node)] = port


def run(sockets: Mapping[str, socket.socket], switches: Switches, lease: float, seed: int) -> None:
    """Serves every link until it is killed."""
    shared.die_with_parent()
    asyncio.run(_serve(sockets, switches, lease, random.Random(seed)))


async def _serve(
    sockets: Mapping[str, socket.socket], switches: Switches, lease: float, dice: random.Random
) -> None:
    for node, made in sockets.items():

        async def take(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, node: str = node
        ) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await _connection(node, reader, writer, switches, lease, dice)
            writer.transport.abort()

        await asyncio.start_server(take, sock=made)
    await asyncio.Event().wait()


async def _connection(
    node: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    switches: Switches,
    lease: float,
    dice: random.Random,
) -> None:
    if switches.bits(node) & CUT:
        return
    port = switches.port(node)
    up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter, hold: int) -> None:
        while data := await source.read(65536):
            while switches.bits(node) & hold:
                await asyncio.sleep(BREATH)
            if switches.bits(node) & LATE:
                await asyncio.sleep(dice.uniform(0, 0.8 * lease))
            sink.write(data)
            await sink.drain()

    async def until_cut() -> None:
        while not switches.bits(node) & CUT and switches.port(node) == port:
            await asyncio.sleep(BREATH)

    tasks = [
        asyncio.create_task(pipe(reader, up_writer, HOLD_UP)),
        asyncio.create_task(pipe(up_reader, writer, HOLD_DOWN)),
        asyncio.create_task(until_cut()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        up_writer.transport.abort()
