"""The public client that follows redirects, before a server that redirects it past the guard.

`FOREIGN_RUNS=200 make foreign` runs it as often as the issue of this fault asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.http_ways import fronted, http
from tests.foreign.servers import BIN, INSTALLED

from freezetag.core import Panel
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

pytestmark = pytest.mark.skipif(not INSTALLED, reason="not installed: make foreign")
RUNS = int(os.environ.get("FOREIGN_RUNS", "3"))
CLIENT = str(Path(__file__).with_name("paying_client.py"))


class Bank:
    """An MCP server that redirects every call to another name of itself, and notes payments."""

    def __init__(self) -> None:
        self.paid: list[float] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(size[1]) if size else 0)
            writer.write(self.answer(head, json.loads(body or b"{}")))
            await writer.drain()
        writer.close()

    def answer(self, head: bytes, message: dict[str, Any]) -> bytes:
        method = message.get("method")
        if head.startswith(b"GET"):
            return http("405 No stream here", body=b"")
        if "id" not in message:
            return http("202 Accepted", body=b"")
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}}
            result["serverInfo"] = {"name": "bank", "version": "1"}
        elif method == "tools/list":
            result = {"tools": [{"name": "pay", "inputSchema": {"type": "object"}}]}
        elif b" /open " not in head:
            return http("307 Go on", f"Location: http://localhost:{self.port}/open", body=b"")
        else:
            self.paid.append(time.monotonic())
            result = {"content": [{"type": "text", "text": "paid"}]}
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return http("200 OK", body=json.dumps(answer).encode())


@contextlib.asynccontextmanager
async def paying() -> AsyncIterator[tuple[Bank, asyncio.subprocess.Process]]:
    bank = Bank()
    server = await asyncio.start_server(bank.serve, ["127.0.0.1"], 0)
    bank.port = server.sockets[0].getsockname()[1]
    client = await asyncio.create_subprocess_exec(
        str(BIN / "python"),
        CLIENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": ""},
    )
    yield bank, client
    client.stdin.close()  # type: ignore[union-attr]
    await client.wait()
    server.close()


async def session(client: asyncio.subprocess.Process, url: str) -> int:
    client.stdin.write(f"{url}\n".encode())  # type: ignore[union-attr]
    return int(await client.stdout.readline())  # type: ignore[union-attr]


def test_without_a_guard_the_client_follows_and_pays() -> None:
    async def main() -> None:
        async with paying() as (bank, client):
            assert await session(client, f"http://127.0.0.1:{bank.port}/mcp") > 0
            assert bank.paid

    asyncio.run(main())


def test_with_the_guard_nothing_is_paid_past_it() -> None:
    async def main() -> None:
        async with paying() as (bank, client):
            late = 0
            for _ in range(RUNS):
                gate = Gate(Panel(), clock=SteppedClock(), enrolments=())
                async with fronted(gate, bank.port) as host:
                    asked = asyncio.create_task(session(client, f"http://{host}/mcp"))
                    await asyncio.sleep(0.4)
                    gate.press("test", category=2)
                    while gate.phase != "stopped":
                        await asyncio.sleep(0.002)
                    acknowledged = time.monotonic()
                    await asked
                late += sum(at > acknowledged for at in bank.paid)
            print(f"{late} effects after the acknowledgement in {RUNS} runs")
            assert late == 0
            assert bank.paid == [], "it was led past the guard before the press"

    asyncio.run(main())
