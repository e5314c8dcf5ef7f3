"""What `freezetag guard --mcp` adds to a tool call of the official SDK on stdio.

Two servers and two clients of the SDK live side by side, one pair with the guard between them:
lease, journal and all. Calls go to them by turns, one by one, so that a change of the machine's
load meets both. Goal: at most .2 ms more at the median. The interval resamples blocks of calls.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio

from bench._measure import head

GOAL = 0.2
CALLS, WARM, BLOCK, RESAMPLED = 4000, 100, 50, 2000
SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("echo")
@server.tool()
def echo(text: str) -> str:
    return text
server.run()
"""


async def call(client: Any, n: int) -> float:
    """Milliseconds from the call to its result."""
    begin = time.perf_counter()
    result = await client.call_tool("echo", {"text": f"{n}"})
    taken = time.perf_counter() - begin
    assert result.content[0].text == f"{n}", result
    return taken * 1e3


async def measure(folder: Path) -> dict[str, list[float]]:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    server = [sys.executable, "-c", SERVER]
    guard = [
        sys.executable,
        "-m",
        "freezetag",
        "guard",
        "--mcp",
        "--state",
        str(folder / "guard"),
        "--",
    ]
    found: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        said = stack.enter_context((folder / "said").open("w"))
        clients = {}
        for name, command in {"without": server, "with": [*guard, *server]}.items():
            parameters = StdioServerParameters(command=command[0], args=command[1:])
            transport = stdio_client(parameters, errlog=said)
            clients[name] = await stack.enter_async_context(Client(transport))
            found[name] = []
        for n in range(WARM + CALLS):
            for name, client in clients.items():
                found[name].append(await call(client, n))
    return {name: times[WARM:] for name, times in found.items()}


def added(found: dict[str, list[float]], quantile: Callable[[list[float]], float]) -> str:
    """The difference of a quantile, with the interval in which 95 % of its resamples lie."""

    def more(blocks: Sequence[int]) -> float:
        ours, theirs = (
            quantile([t for n in blocks for t in found[name][n : n + BLOCK]])
            for name in ("with", "without")
        )
        return ours - theirs

    blocks, draw = range(0, CALLS, BLOCK), random.Random(0)
    spread = sorted(more(draw.choices(blocks, k=len(blocks))) for _ in range(RESAMPLED))
    low, high = spread[RESAMPLED // 40], spread[-RESAMPLED // 40]
    return f"{more(blocks):.3f} ms [{low:.3f}, {high:.3f}]"


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


def main() -> None:
    head("freezetag guard --mcp against no proxy: one tool call of the official SDK", "mcp")
    with tempfile.TemporaryDirectory() as folder:
        found = anyio.run(measure, Path(folder))
    for name, times in found.items():
        print(f"{name}: p50 {statistics.median(times):.3f}, p99 {p99(times):.3f} ms, n {CALLS}")
    print(f"added at p99: {added(found, p99)}")
    at_median = statistics.median(found["with"]) - statistics.median(found["without"])
    verdict = "met" if at_median <= GOAL else "MISSED"
    print(f"added at p50: {added(found, statistics.median)}; goal {GOAL} ms: {verdict}")


if __name__ == "__main__":
    main()
