"""The ledger, its checkpoint and proofs of consistency, for whoever watches or verifies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from freezetag.live.server.requests import HEADERS, as_json, holder, number
from freezetag.live.server.service import Service

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

EXPORT = 10_000


async def ledger(service: Service, request: Request) -> Response:
    """Records, one a line; with the last of them the checkpoint, each line after a `#`."""
    from starlette.responses import PlainTextResponse

    holder(service, request, {}, "status")
    first = number(request, "from", 0)
    lines = [leaf + b"\n" for leaf in await asyncio.to_thread(service.records, first, EXPORT)]
    if len(lines) < EXPORT:
        with service.lock:
            size, note = service.tree.size, service.note
        if size == first + len(lines):
            lines += [f"#{line}\n".encode() for line in note.splitlines()]
    return PlainTextResponse(b"".join(lines), headers=HEADERS)


async def checkpoint(service: Service, request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    holder(service, request, {}, "status")
    return PlainTextResponse(service.note, headers=HEADERS)


async def proof(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    with service.lock:
        new = number(request, "to", service.tree.size)
        old = number(request, "from", 0)
        return as_json({"from": old, "to": new, "proof": service.tree.consistency(old, new)})
