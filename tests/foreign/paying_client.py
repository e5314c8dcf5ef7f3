"""A client of the public SDK that follows redirects (mcp 1.22): pays at each address it is given.

Reads addresses from standard input, one a line; for each it opens a session, pays until it is told
to stop or a second has passed, and writes how many payments were answered.
"""

from __future__ import annotations

import sys
import time

import anyio


async def pay(url: str) -> int:
    # Only mcp 1.22 has this client: the suite imports every file here, with a newer mcp.
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    paid = 0
    end = time.monotonic() + 1.0
    try:
        async with (
            streamablehttp_client(url, timeout=2) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            while time.monotonic() < end:
                try:
                    with anyio.fail_after(0.3):
                        await session.call_tool("pay", {"amount": 1})
                    paid += 1
                except Exception:
                    await anyio.sleep(0.01)
    except Exception as error:  # a session that breaks is an answer too
        print(f"{type(error).__name__}", file=sys.stderr)
    return paid


if __name__ == "__main__":
    for line in sys.stdin:
        print(anyio.run(pay, line.strip()), flush=True)
