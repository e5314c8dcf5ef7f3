"""Ways round the HTTP guard that its upstream offers, or that a client tries by itself (R16).

A credulous client asks through the guard and notes every address that it is given, wherever it
stands in the answer. Then the gate is pressed and acknowledges; then the client pays at each of
these addresses. An effect after the acknowledgement says that the way is open. The upstream keeps
the count of effects by itself.

    python -m tests.adapters.http_ways     prints the result of every way, by tier
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import uvicorn

from freezetag.adapters.gates.mcp_http import McpHttpProxy
from freezetag.core import Panel
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

PAY = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay"}}
).encode()
LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
DONE = b'{"jsonrpc":"2.0","id":1,"result":{}}'


def post(body: bytes = PAY, path: str = "/mcp", *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", *lines, "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def get(path: str = "/mcp", *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def http(status: str, *headers: str, body: bytes = DONE, kind: str = "application/json") -> bytes:
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Type: {kind}"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


@dataclass(frozen=True)
class Way:
    """`answer` is what the upstream answers first, given its own address; `asks` the request.

    `tier` is the lowest at which this way has to be closed: from 1 on that is the host's part.
    """

    name: str
    answer: Callable[[str], bytes]
    asks: Callable[[str], bytes] = field(default=lambda host: post(PAY, "/mcp", f"Host: {host}"))
    tier: int = 0


def _redirect(status: str, place: Callable[[str], str]) -> Callable[[str], bytes]:
    return lambda at: http(status, f"Location: {place(at)}", body=b"")


def _header(line: Callable[[str], str]) -> Callable[[str], bytes]:
    return lambda at: http("200 OK", line(at))


def _stream(body: Callable[[str], bytes]) -> Callable[[str], bytes]:
    return lambda at: http("200 OK", body=body(at), kind="text/event-stream")


def _listens(host: str) -> bytes:
    return get("/mcp", f"Host: {host}", "Accept: text/event-stream")


WAYS = [
    *(
        Way(f"redirect {code}", _redirect(f"{code} Elsewhere", lambda at: f"http://{at}/open"))
        for code in (300, 301, 302, 303, 305, 307, 308, 399)
    ),
    Way("redirect with a user", _redirect("307 T", lambda at: f"http://me:pw@{at}/mcp")),
    Way("redirect without a scheme", _redirect("307 T", lambda at: f"//{at}/open")),
    Way("redirect to host:port alone", _redirect("307 T", lambda at: f"{at}/open")),
    Way("redirect with backslashes", _redirect("307 T", lambda at: rf"http:\\{at}\open")),
    Way("redirect to another name", _redirect("307 T", lambda at: _other_name(at))),
    Way(
        "redirect of a listing",
        _redirect("307 T", lambda at: _other_name(at)),
        lambda host: post(LIST, "/mcp", f"Host: {host}"),
    ),
    Way("redirect of a stream", _redirect("307 T", lambda at: _other_name(at)), _listens),
    Way(
        "redirect of metadata",
        _redirect("302 F", lambda at: f"http://{at}/mcp"),
        lambda host: get("/.well-known/x", f"Host: {host}"),
    ),
    Way("redirect in a loop", _redirect("307 T", lambda at: f"http://{at}/mcp")),
    Way("two locations", lambda at: http("307 T", "Location: /mcp", f"Location: http://{at}/open")),
    Way("location of 201", lambda at: http("201 Created", f"Location: http://{at}/open")),
    Way("content location", _header(lambda at: f"Content-Location: http://{at}/mcp")),
    Way("link", _header(lambda at: f'Link: <http://{at}/mcp>; rel="canonical"')),
    Way("refresh", _header(lambda at: f"Refresh: 0; url=http://{at}/mcp")),
    Way("alternative service", _header(lambda at: f'Alt-Svc: http/1.1="{at}"; ma=86400')),
    Way("session id", _header(lambda at: f"Mcp-Session-Id: http://{at}/mcp")),
    Way("header of its own", _header(lambda at: f"X-Endpoint: http://{at}/mcp")),
    Way("cookie", _header(lambda at: f"Set-Cookie: next=http://{at}/mcp")),
    Way("challenge", lambda at: http("401 Who", f'WWW-Authenticate: Bearer x="http://{at}/mcp"')),
    Way(
        "early hints",
        lambda at: (
            f"HTTP/1.1 103 Early\r\nLink: <http://{at}/mcp>\r\n\r\n".encode() + http("200 OK")
        ),
    ),
    Way(
        "upgrade granted",
        lambda at: b"HTTP/1.1 101 Switching\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n",
        lambda host: post(PAY, "/mcp", f"Host: {host}", "Connection: Upgrade", "Upgrade: raw"),
    ),
    Way("upgrade required", lambda at: http("426 Upgrade", f"Upgrade: raw; at=http://{at}/mcp")),
    Way(
        "trailer",
        lambda at: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"0\r\nLocation: http://%b/mcp\r\n\r\n" % at.encode()
        ),
    ),
    Way(
        "endpoint event",
        _stream(lambda at: f"event: endpoint\ndata: http://{at}/mcp\n\n".encode()),
        _listens,
    ),
    Way(
        "endpoint event of a call",
        _stream(lambda at: f"data: http://{at}/mcp\r\nevent:endpoint\r\n\r\n".encode()),
    ),
    Way(
        "endpoint event behind a mark",
        _stream(
            lambda at: b"\xef\xbb\xbf" + f"event: endpoint\rdata: http://{at}/mcp\r\r".encode()
        ),
        _listens,
    ),
    Way(
        "endpoint event without an end",
        _stream(lambda at: f"event: endpoint\ndata: http://{at}/mcp".encode()),
        _listens,
    ),
    # What a client tries by itself.
    Way(
        "websocket",
        lambda at: http("200 OK"),
        lambda host: get(
            "/mcp",
            f"Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
    ),
    Way(
        "tunnel",
        lambda at: http("200 OK"),
        lambda host: f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
    ),
    Way(
        "path upwards",
        lambda at: http("200 OK"),
        lambda host: post(PAY, "/mcp/../open", f"Host: {host}"),
    ),
    Way(
        "path in escapes",
        lambda at: http("200 OK"),
        lambda host: get("/.well-known/%2e%2e/open", f"Host: {host}"),
    ),
    Way(
        "two methods",
        lambda at: http("200 OK"),
        lambda host: post(
            PAY, "/mcp", f"Host: {host}", "Mcp-Method: ping", "Mcp-Method: tools/call"
        ),
    ),
    Way(
        "compressed request",
        lambda at: http("200 OK"),
        lambda host: post(PAY, "/mcp", f"Host: {host}", "Content-Encoding: GZIP"),
    ),
    Way(
        "the server's own port",
        lambda at: http("200 OK", f"X: {at}"),
        lambda host: b"direct",
        tier=1,
    ),
]


def _other_name(at: str) -> str:
    return f"http://localhost:{at.rpartition(':')[2]}/mcp"


class Server:
    """The upstream: its first answer is the way's, later ones are plain; counts paid calls."""

    def __init__(self, way: Way) -> None:
        self.way, self.paid, self.first = way, 0, True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(size[1]) if size else 0)
            port = writer.get_extra_info("sockname")[1]
            if self.first or self.way.name == "redirect in a loop":
                self.first = False
                writer.write(self.way.answer(f"127.0.0.1:{port}"))
            else:
                self.paid += b"tools/call" in body
                writer.write(http("200 OK"))
            await writer.drain()
        writer.close()


@dataclass
class Result:
    """Addresses that the client was given, and effects after the acknowledgement."""

    way: Way
    leads: set[tuple[str, int]]
    effects: int
    answer: bytes


async def tried(way: Way) -> Result:
    server = Server(way)
    upstream = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    inner = upstream.sockets[0].getsockname()[1]
    gate = Gate(Panel(), clock=SteppedClock(), enrolments=())
    async with fronted(gate, inner) as host:
        outer = ("127.0.0.1", int(host.rpartition(":")[2]))
        asked = way.asks(host)
        leads: set[tuple[str, int]] = set()
        answer = b""
        if asked == b"direct":  # whoever knows the port needs no lead
            leads = {("127.0.0.1", inner)}
        else:
            answer = await exchange(outer, asked)
            for found in re.findall(rb"(?i)(127\.0\.0\.1|localhost):(\d+)", _offered(answer)):
                leads.add((found[0].decode().lower(), int(found[1])))
        leads.discard(outer)
        gate.press("test", category=2)
        while gate.phase != "stopped":
            await asyncio.sleep(0.002)
        before = server.paid
        for lead in leads:
            for path in ("/mcp", "/open"):
                await exchange(lead, post(PAY, path, f"Host: {lead[0]}:{lead[1]}"))
        await exchange(outer, post(PAY, "/mcp", f"Host: {host}"))
    upstream.close()
    return Result(way, leads, server.paid - before, answer)


@contextlib.asynccontextmanager
async def fronted(gate: Gate, upstream: int) -> AsyncIterator[str]:
    """The proxy before that port, served by uvicorn; where it is."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as made:
        host = f"127.0.0.1:{made.getsockname()[1]}"
        proxy = McpHttpProxy(gate, f"http://127.0.0.1:{upstream}/mcp", allowed_hosts=[host])
        config = uvicorn.Config(
            proxy, lifespan="off", log_config=None, log_level="critical", ws="websockets-sansio"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([made]))
        while not server.started:
            await asyncio.sleep(0.002)
        yield host
        server.should_exit = True
        await serving


def _offered(answer: bytes) -> bytes:
    """What a client acts on by itself: not the text of an error, which is for people."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head + (b"" if b'"error"' in body else body)


async def exchange(where: tuple[str, int], request: bytes) -> bytes:
    """All that comes back until the other side closes, or is silent for a while."""
    answer = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(*where)
            writer.write(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\nAccept: */*\r\n", 1))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.4):
                    while part := await reader.read(1 << 16):
                        answer += part
                        if _is_whole(answer):
                            break
            writer.close()
    return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    size = re.search(rb"(?i)content-length: (\d+)", head)
    chunked = b"chunked" in head.lower() and body.endswith(b"0\r\n\r\n")
    return bool(end) and (chunked or (size is not None and len(body) >= int(size[1])))


def results() -> Iterator[Result]:
    for way in WAYS:
        yield asyncio.run(tried(way))


def table(found: list[Result]) -> str:
    """How many ways are closed, tier by tier, and which are open."""
    lines = []
    for tier in (0, 1):
        tried = [each for each in found if each.way.tier <= 0 or tier == 0]
        still = [each for each in tried if each.effects]
        lines.append(f"tier {tier}: {len(tried) - len(still)} of {len(tried)} ways are closed")
        lines += [f"  open       {each.way.name}" for each in still]
        left = [each for each in found if each not in tried]
        lines += [f"  not tried  {each.way.name}: the host has to close it" for each in left]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(list(results())))
