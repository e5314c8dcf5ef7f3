"""What `freezetag guard --mcp` adds to a tool call of the official SDK on stdio.

Two servers and two clients of the SDK live side by side, one pair with the guard between them:
lease, journal and all. Calls go to them by turns, so that a change of the machine's load meets
both. Goal: at most .3 ms more at the median.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio

from bench._measure import Timing, head, table

GOAL = 0.3
ROUNDS, CALLS = 20, 50
SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("echo")
@server.tool()
def echo(text: str) -> str:
    return text
server.run()
"""


async def calls(client: Any, count: int) -> list[float]:
    taken = []
    for n in range(count):
        begin = time.perf_counter()
        result = await client.call_tool("echo", {"text": f"{n}"})
        taken.append(time.perf_counter() - begin)
        assert result.content[0].text == f"{n}", result
    return taken


async def measure(folder: Path) -> dict[str, list[list[float]]]:
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
    found: dict[str, list[list[float]]] = {}
    async with AsyncExitStack() as stack:
        said = stack.enter_context((folder / "said").open("w"))
        clients = {}
        for name, command in {"without": server, "with": [*guard, *server]}.items():
            parameters = StdioServerParameters(command=command[0], args=command[1:])
            transport = stdio_client(parameters, errlog=said)
            clients[name] = await stack.enter_async_context(Client(transport))
            await calls(clients[name], CALLS)
            found[name] = []
        for _ in range(ROUNDS):
            for name, client in clients.items():
                found[name].append(await calls(client, CALLS))
    return found


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


def main() -> None:
    head("freezetag guard --mcp against no proxy: one tool call of the official SDK", "mcp")
    with tempfile.TemporaryDirectory() as folder:
        found = anyio.run(measure, Path(folder))
    medians = {name: [statistics.median(r) * 1e3 for r in rounds] for name, rounds in found.items()}
    table("ms a call, medians of rounds", {n: Timing(tuple(m), (0.0,)) for n, m in medians.items()})
    more = [w - without for w, without in zip(medians["with"], medians["without"], strict=True)]
    flat = {name: [t for r in rounds for t in r] for name, rounds in found.items()}
    added = statistics.median(flat["with"]) - statistics.median(flat["without"])
    late = p99(flat["with"]) - p99(flat["without"])
    print(
        f"added: {added * 1e3:.3f} ms at p50 over all calls ({min(more):.3f} to {max(more):.3f} a "
        f"round), {late * 1e3:.3f} ms at p99; goal {GOAL} ms at p50: "
        f"{'met' if added * 1e3 <= GOAL else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
