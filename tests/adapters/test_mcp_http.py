"""The MCP proxy on streamable HTTP: its application by hand, the official SDK through it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.http_ways import PAY, fronted, get, post
from tests.adapters.http_ways import exchange as exchange_raw
from tests.live.guards import wait_for

from freezetag.adapters.gates.mcp_http import McpHttpProxy
from freezetag.core import Panel, UserError
from freezetag.core.journal import Journal, read
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

SERVER = str(Path(__file__).with_name("mcp_server.py"))
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay"}}


class Upstream:
    """A server that notes every request, answers `reply`, and holds the answer while `hold`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.closed = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.kind = b"application/json"
        self.first = b""
        self.status = "200 OK"
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.seen.append((head[0], headers, body))
        kind = self.kind.decode()
        writer.write(
            f"HTTP/1.1 {self.status}\r\ncontent-type: {kind}\r\n\r\n".encode() + self.first
        )
        await writer.drain()
        gone = asyncio.create_task(reader.read())
        held = asyncio.create_task(self.hold.wait())
        await asyncio.wait((gone, held), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.closed += 1
        else:
            writer.write(b'{"jsonrpc":"2.0","id":1,"result":{}}')
        gone.cancel()
        held.cancel()
        writer.close()


@contextlib.asynccontextmanager
async def between(
    journal: Journal | None = None, **options: Any
) -> AsyncIterator[tuple[Gate, Upstream, McpHttpProxy]]:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = upstream.port = server.sockets[0].getsockname()[1]
    gate = Gate(Panel(), clock=SteppedClock(), enrolments=(), name="agent", journal=journal)
    address, hosts = f"http://127.0.0.1:{port}/mcp", ["me:80", "local:*"]
    yield gate, upstream, McpHttpProxy(gate, address, allowed_hosts=hosts, **options)
    server.close()
    await asyncio.sleep(0.02)  # closed connections still have to say so to the loop


async def exchange(
    proxy: McpHttpProxy,
    body: Any = b"",
    method: str = "POST",
    path: str = "/mcp",
    gone: asyncio.Event | None = None,
    **headers: str,
) -> tuple[int, bytes]:
    """One request by hand; the status and all of the body."""
    given = {"host": "me:80", "content-type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent: list[dict[str, Any]] = [{"type": "http.request", "body": raw, "more_body": False}]
    got: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        got.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await proxy(scope, receive, send)
    status = next((m["status"] for m in got if "status" in m), 0)
    return status, b"".join(message.get("body", b"") for message in got)


def test_a_call_passes_unchanged_and_a_stopped_one_is_never_sent() -> None:
    async def main() -> None:
        async with between() as (gate, upstream, proxy):
            raw = b'{"jsonrpc":"2.0",\n "id":1,"method":"tools/call","params":{"x":1.50}}'
            status, body = await exchange(proxy, raw, authorization="Bearer x")
            assert (status, json.loads(body)["result"]) == (200, {})
            (line, headers, passed), *_ = upstream.seen
            assert (line, passed) == ("POST /mcp HTTP/1.1", raw)
            assert headers["authorization"] == "bearer x"
            assert headers["host"].startswith("127.0.0.1:")
            assert gate.in_flight == 0
            gate.press("test")
            status, body = await exchange(proxy, CALL)
            assert (status, json.loads(body)["error"]["code"]) == (200, -32050)
            status, _ = await exchange(proxy, {"jsonrpc": "2.0", "method": "notifications/odd"})
            assert status == 403
            assert len(upstream.seen) == 1
            listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
            assert (await exchange(proxy, listing))[0] == 200
            assert (await exchange(proxy, method="GET"))[0] == 503

    asyncio.run(main())


@pytest.mark.parametrize("streams", [False, True])
def test_a_stop_in_flight_closes_the_stream(streams: bool) -> None:
    async def main() -> None:
        async with between() as (gate, upstream, proxy):
            upstream.hold.clear()
            if streams:
                upstream.kind, upstream.first = b"text/event-stream", b": hello\r\n\r\n"
            call = asyncio.create_task(exchange(proxy, CALL, mcp_session_id="s"))
            while not upstream.seen:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            assert gate.in_flight == 1
            gate.press("test", category=2)
            status, body = await asyncio.wait_for(call, 2)
            assert status == 200
            assert b"-32050" in body
            assert body.startswith(b": hello") is streams
            assert streams or json.loads(body)["id"] == 1
            assert gate.phase == "stopped"
            while upstream.closed < 1:
                await asyncio.sleep(0.005)
            told = json.loads(upstream.seen[1][2])
            assert told["method"] == "notifications/cancelled"
            assert told["params"]["requestId"] == 1

    asyncio.run(main())


def test_a_client_that_hangs_up_leaves_the_outcome_unknown() -> None:
    async def main() -> None:
        async with between() as (gate, upstream, proxy):
            upstream.hold.clear()
            gone = asyncio.Event()
            call = asyncio.create_task(exchange(proxy, CALL, gone=gone))
            while not upstream.seen:
                await asyncio.sleep(0.005)
            gone.set()
            await asyncio.wait_for(call, 2)
            assert gate.in_flight == 0
            while upstream.closed < 1:
                await asyncio.sleep(0.005)

    asyncio.run(main())


def test_a_stop_ends_a_listening_stream() -> None:
    async def main() -> None:
        async with between() as (gate, upstream, proxy):
            upstream.hold.clear()
            upstream.kind, upstream.first = b"text/event-stream", b": hello\r\n\r\n"
            stream = asyncio.create_task(exchange(proxy, method="GET"))
            while not upstream.seen:
                await asyncio.sleep(0.005)
            gate.press("test")
            assert (await asyncio.wait_for(stream, 2))[0] == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (421, {"host": "evil.example"}),
        (421, {"host": ""}),
        (421, {"host": "local:x"}),
        (403, {"origin": "http://evil.example"}),
        (403, {"origin": "null"}),
        (404, {"path": "/mcp/../admin"}),
        (404, {"path": "/mcp/"}),
        (404, {"path": "/admin", "method": "GET"}),
        (404, {"path": "/.well-known/x"}),
        (404, {"path": "/.well-known/../admin", "method": "GET"}),
        (405, {"method": "PUT"}),
        (415, {"content_type": "text/plain"}),
        (415, {"content_encoding": "gzip"}),
        (400, {"mcp_method": "ping"}),
        (400, {"body": b"[]"}),
        (400, {"body": b"{"}),
        (400, {"body": b'{"id":1,"method":"ping","method":"tools/call"}'}),
        (413, {"body": b" " * (16 * 1024 * 1024 + 1)}),
    ],
)
def test_what_is_not_passed_on(status: int, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with between() as (gate, upstream, proxy):
            options.setdefault("body", CALL)
            assert (await exchange(proxy, **options))[0] == status
            assert not upstream.seen
            assert gate.last == 0
            ok = await exchange(proxy, CALL, host="local:1234", origin="http://me:80")
            assert ok[0] == 200

    asyncio.run(main())


def test_a_stream_whose_client_is_gone_is_given_back() -> None:
    """By way of a real server and connection, as a client ends that is killed."""

    async def main() -> None:
        upstream = Upstream()
        upstream.hold.clear()
        upstream.kind, upstream.first = b"text/event-stream", b": hello\n\n"
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
        gate = Gate(Panel(), clock=SteppedClock(), enrolments=())
        async with fronted(gate, server.sockets[0].getsockname()[1]) as host:
            where, port = host.split(":")
            for request in (get("/mcp", f"Host: {host}"), post(PAY, "/mcp", f"Host: {host}")):
                upstream.closed = 0
                reader, writer = await asyncio.open_connection(where, port)
                writer.write(request)
                await reader.readuntil(b": hello")
                writer.transport.abort()
                async with asyncio.timeout(1):
                    while not upstream.closed:
                        await asyncio.sleep(0.005)
        assert gate.in_flight == 0
        server.close()

    asyncio.run(main())


def test_a_press_at_any_moment_leaves_a_whole_answer() -> None:
    async def main() -> None:
        async with between() as (_, upstream, _):
            port = int(upstream.port)
            dice = random.Random(3)
            seen = set()
            for _ in range(40):
                gate = Gate(Panel(), clock=SteppedClock(), enrolments=())
                async with fronted(gate, port) as host:
                    press = threading.Timer(dice.random() * 0.02, gate.press, ("test",))
                    press.start()
                    where = ("127.0.0.1", int(host.rpartition(":")[2]))
                    answer = await exchange_raw(where, post(PAY, "/mcp", f"Host: {host}"))
                    press.join()
                assert b'"result"' in answer or b"-32050" in answer, answer
                seen.add(b'"result"' in answer)
            assert True in seen

    asyncio.run(main())


def test_a_client_that_does_not_read_cannot_hold_up_a_stop() -> None:
    async def main() -> None:
        async with between() as (gate, upstream, proxy):
            never = asyncio.Event()

            async def send(message: dict[str, Any]) -> None:
                await never.wait()

            async def receive() -> dict[str, Any]:
                return bodies.pop() if bodies else await never.wait()  # type: ignore[return-value]

            bodies = [{"type": "http.request", "body": json.dumps(CALL).encode()}]
            headers = [(b"host", b"me:80"), (b"content-type", b"application/json")]
            scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
            call = asyncio.create_task(proxy(scope, receive, send))
            while not upstream.seen:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            assert gate.in_flight == 1
            gate.press("test", category=2)
            await asyncio.wait_for(call, 5)
            assert gate.phase == "stopped"

    asyncio.run(main())


def test_a_request_over_the_limit_is_answered_under_its_id() -> None:
    async def main() -> None:
        async with between(largest=500) as (_gate, upstream, proxy):
            call = {"method": "tools/call", "params": {"name": "x" * 1000}, "id": "late"}
            status, body = await exchange(proxy, call)
            assert (status, json.loads(body)["id"]) == (413, "late")
            assert "the limit is 500" in json.loads(body)["error"]["message"]
            call["params"] = {"name": "x" * 9000}
            assert json.loads((await exchange(proxy, call))[1])["id"] in ("late", None)
            assert not upstream.seen

    asyncio.run(main())


def test_an_event_over_the_limit_is_an_error_that_says_so() -> None:
    async def main() -> None:
        async with between(largest=500) as (gate, upstream, proxy):
            upstream.kind, upstream.first = b"text/event-stream", b": a\n\ndata: " + b"x" * 1000
            status, body = await exchange(proxy, CALL)
            assert status == 200
            event = json.loads(body.partition(b"data: ")[2])
            assert event["id"] == 1
            assert "the limit is 500" in event["error"]["message"]
            assert gate.in_flight == 0

    asyncio.run(main())


def test_a_refused_batch_answers_each_id() -> None:
    async def main() -> None:
        async with between() as (_gate, upstream, proxy):
            status, body = await exchange(proxy, [CALL, {**CALL, "id": "b"}])
            assert status == 400
            assert [error["id"] for error in json.loads(body)] == [1, "b"]
            assert not upstream.seen

    asyncio.run(main())


def test_what_passes_though_it_is_spelled_in_another_way() -> None:
    async def main() -> None:
        async with between(allowed_origins=["http://localhost:6274"]) as (_gate, upstream, proxy):
            for headers in (
                {"content_type": "Application/JSON; charset=UTF-8"},
                {"content_encoding": "Identity"},
                {"origin": "http://Localhost:6274"},
                {"method": "OPTIONS", "origin": "http://localhost:6274"},
            ):
                assert (await exchange(proxy, CALL, **headers))[0] == 200
            assert len(upstream.seen) == 4
            hint = (await exchange(proxy, CALL, path="/mcp/"))[1]
            assert hint == b"no such endpoint: this guard answers at /mcp\n"
            hint = (await exchange(proxy, CALL, origin="http://a.example"))[1]
            assert b"--origin" in hint

    asyncio.run(main())


def test_a_call_that_was_only_taken_is_not_over() -> None:
    async def main() -> None:
        lines: list[bytes] = []
        async with between(journal=Journal(lines.append)) as (_gate, upstream, proxy):
            upstream.status = "202 Accepted"
            assert (await exchange(proxy, CALL))[0] == 202
            ended = [entry["outcome"] for entry in read(lines) if entry["kind"] == "end"]
            assert ended == ["unknown"]

    asyncio.run(main())


def test_a_server_that_is_away_or_speaks_no_http() -> None:
    async def main() -> None:
        async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"\x00\x01\r\n\r\n" * 10)
            writer.close()

        server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for address in (f"127.0.0.1:{port}", "127.0.0.1:9"):
            gate = Gate(Panel(), clock=SteppedClock(), enrolments=())
            proxy = McpHttpProxy(gate, f"http://{address}/mcp", allowed_hosts=["me:80"])
            status, body = await exchange(proxy, CALL)
            assert (status, json.loads(body)["error"]["code"]) == (502, -32000)
            assert gate.in_flight == 0
        server.close()
        await asyncio.sleep(0.02)

    asyncio.run(main())


def test_bad_settings() -> None:
    gate = Gate(Panel(), clock=SteppedClock(), enrolments=())
    for url in ("ftp://x/mcp", "127.0.0.1:9000", "http://:80/", "http://x:port/"):
        with pytest.raises(UserError, match="http://HOST:PORT/PATH"):
            McpHttpProxy(gate, url, allowed_hosts=["me:80"])
    with pytest.raises(UserError, match="allowed_hosts"):
        McpHttpProxy(gate, "http://x/mcp", allowed_hosts=[])
    for origin in ("localhost:6274", "http://x/", "*"):
        with pytest.raises(UserError, match="not an origin"):
            McpHttpProxy(gate, "http://x/mcp", allowed_hosts=["a:1"], allowed_origins=[origin])


# The real thing: client and server of the official SDK.

mcp = pytest.importorskip("mcp", reason="the official SDK is not installed: pip install mcp")


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as made:
        return int(made.getsockname()[1])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A real server behind `freezetag guard --mcp --upstream`."""
    inner, outer = free_port(), free_port()
    options = ["--state", str(tmp_path / "state"), "--stop-file", str(tmp_path / "STOP")]
    options += ["--upstream", f"http://127.0.0.1:{inner}/mcp", "--listen", f"127.0.0.1:{outer}"]
    command = [sys.executable, SERVER, str(tmp_path / "effects"), str(inner)]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "freezetag", "guard", "--mcp", *options, "--", *command],
            stderr=said,
            stdout=said,
            env=os.environ | {"HOME": str(tmp_path)},
        )
        (tmp_path / "pid").write_text(str(process.pid))
        try:
            wait_for(lambda: _answers(inner) and _answers(outer))
            yield tmp_path, outer
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in (124, 143), (tmp_path / "said").read_text()


def test_a_crowd_that_asks_nothing_keeps_nobody_out(guarded: tuple[Path, int]) -> None:
    """Also where the guard has no file left for one connection more."""
    folder, port = guarded
    guard = int((folder / "pid").read_text())
    most = len([*Path(f"/proc/{guard}/fd").iterdir()]) + 8
    resource.prlimit(guard, resource.RLIMIT_NOFILE, (most, most))
    with contextlib.ExitStack() as held:
        for _ in range(40):
            held.enter_context(socket.create_connection(("127.0.0.1", port), 2))
        wait_for(lambda: _serves(port))
    said = (folder / "said").read_text()
    assert "Traceback" not in said, said


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def _serves(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as made:
        made.settimeout(1)
        made.sendall(b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return made.recv(100).startswith(b"HTTP/1.1 4")
    return False


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_real_client_calls_a_real_server_until_stop(guarded: tuple[Path, int], mode: str) -> None:
    import anyio
    from mcp.client.client import Client
    from mcp.shared.exceptions import MCPError

    folder, port = guarded

    async def main() -> None:
        async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
            result = await client.call_tool("pay", {"amount": 3})
            assert result.content[0].text == "paid 3"
            async with anyio.create_task_group() as tasks:

                async def endless() -> None:
                    with pytest.raises(MCPError) as told:
                        await client.call_tool("obliging", {"seconds": 30})
                    assert told.value.code == -32050

                tasks.start_soon(endless)
                with anyio.fail_after(20):
                    while "obliging" not in (folder / "effects").read_text():
                        await anyio.sleep(0.01)
                pressed = time.time()
                (folder / "STOP").touch()
            with pytest.raises(MCPError) as told:
                await client.call_tool("pay", {"amount": 4})
            assert told.value.code == -32050
            last = float((folder / "effects").read_text().splitlines()[-1].split()[0])
            assert last - pressed < 2.5

    anyio.run(main)
    effects = (folder / "effects").read_text()
    assert "pay 3" in effects
    assert "pay 4" not in effects
    wait_for(lambda: "STOPPED" in (folder / "said").read_text())


def test_threads_are_not_left() -> None:
    assert not [thread.name for thread in threading.enumerate() if thread.name == "mcp"]
