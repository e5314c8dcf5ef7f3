"""An MCP server of the official SDK whose tools write effects, with its own clock, to a file."""

from __future__ import annotations

import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import TextIO

import anyio
from mcp.server.mcpserver import MCPServer

server = MCPServer("effects")


@cache
def effects() -> TextIO:
    """The file of the first argument, open while the server lives."""
    return Path(sys.argv[1]).open("a", buffering=1)


def act(what: str) -> None:
    effects().write(f"{time.time()} {what}\n")


@server.tool()
def pay(amount: int) -> str:
    act(f"pay {amount}")
    return f"paid {amount}"


@server.tool()
async def obliging(seconds: float) -> str:
    """Acts until it is cancelled."""
    end = time.time() + seconds
    while time.time() < end:
        act("obliging")
        await anyio.sleep(0.01)
    return "done"


@server.tool()
async def stubborn(seconds: float) -> str:
    """Acts in a thread that no cancelling reaches."""

    def work() -> None:
        end = time.time() + seconds
        while time.time() < end:
            act("stubborn")
            time.sleep(0.01)

    threading.Thread(target=work, daemon=True).start()
    with anyio.CancelScope(shield=True):
        await anyio.sleep(seconds)
    return "done"


@server.resource("memo://{name}")
def memo(name: str) -> str:
    act(f"read {name}")
    return name


@server.prompt()
def ask(topic: str) -> str:
    act(f"prompt {topic}")
    return topic


if __name__ == "__main__":
    if len(sys.argv) > 2:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run()
