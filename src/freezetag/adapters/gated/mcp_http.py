"""An MCP server on streamable HTTP behind a gate: an ASGI reverse proxy.

    proxy = McpHttpProxy(gate, "http://127.0.0.1:9000/mcp", allowed_hosts=["127.0.0.1:8100"])

Every POST is judged by itself, as `mcp_stdio` judges a line, so it needs no session. An action of
the gate lasts until its answer has come to an end. On a stop the stream to the server is closed
(which cancels, since protocol 2026-07-28; for a session of an older one the server is also sent
`notifications/cancelled`), and the client gets error -32050.

Caveat: a closed stream proves nothing about the server, so the outcome is entered as unknown. What
the server asks of the client on a GET stream is not judged; a stop closes these streams. The server
must not be reachable past the proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, final

from freezetag.adapters.gated import mcp_frames as frames
from freezetag.adapters.gated._asgi import (
    Receive,
    Send,
    answer,
    answer_json,
    lifespan,
    read_body,
)
from freezetag.adapters.gated.http_client import Answer, Upstream, UpstreamError
from freezetag.adapters.gated.mcp_frames import BadFrame, Frame
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused

LOOK = 0.1
"""Seconds between looks whether an idle stream is still allowed."""
_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade host content-length".split()
)


class _Stopped(Exception):
    """The gate wants this action to end."""


class _Gone(Exception):
    """The client has hung up."""


@final
class McpHttpProxy:
    """An ASGI application in front of the MCP endpoint `upstream`; run it with any ASGI server.

    `allowed_hosts` are the `Host` headers to answer to ("name:port", or "name:*"), and the only
    hosts that an `Origin` may name: without it, a web page could reach a local server by DNS
    rebinding. With `key`, requests are journalled as HMAC-SHA256. Raises `UserError`.
    """

    def __init__(
        self, gate: GateLike, upstream: str, *, allowed_hosts: Sequence[str], key: bytes = b""
    ) -> None:
        if not allowed_hosts:
            raise UserError("allowed_hosts is empty: nobody could be answered. Give HOST:PORT.")
        self._gate, self._upstream, self._key = gate, Upstream(upstream), key
        self._hosts = tuple(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        path = scope["path"]
        known = path == self._upstream.path
        public = scope["method"] == "GET" and path.startswith("/.well-known/") and ".." not in path
        if not self._is_ours(headers):
            await answer(send, 421, b"this host or origin is not allowed here\n")
        elif not (known or public):
            await answer(send, 404, b"no such endpoint\n")
        elif scope["method"] == "POST":
            await self._post(scope, headers, receive, send)
        elif public or scope["method"] == "DELETE":
            await self._relay(scope, b"", receive, send, asyncio.Event())
        elif scope["method"] == "GET":
            await self._listen(scope, receive, send)
        else:
            await answer(send, 405, b"POST, GET or DELETE\n")

    def _is_ours(self, headers: dict[bytes, bytes]) -> bool:
        def allowed(host: str) -> bool:
            name, _, port = host.rpartition(":")
            wild = bool(name) and port.isdigit() and f"{name}:*" in self._hosts
            return host in self._hosts or wild

        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        host = headers.get(b"host", b"").decode("latin-1").lower()
        return allowed(host) and (not origin or allowed(origin.partition("://")[2]))

    async def _post(
        self, scope: dict[str, Any], headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        if headers.get(b"content-type", b"").partition(b";")[0].strip() != b"application/json":
            await answer(send, 415, b"send application/json\n")
            return
        if headers.get(b"content-encoding", b"identity") != b"identity":
            await answer(send, 415, b"send it uncompressed: what is judged must be readable\n")
            return
        body = await read_body(receive, frames.LARGEST)
        if body is None:
            await answer(send, 413, b"too large\n")
            return
        try:
            frame = frames.read(body)
            if headers.get(b"mcp-method", frame.method.encode()) != frame.method.encode():
                raise BadFrame(frames.INVALID, "Mcp-Method is not the method", frame.id)
        except BadFrame as bad:
            await answer_json(send, 400, frames.error(bad.id, bad.code, str(bad)))
            return
        await self._judged(scope, frame, receive, send)

    async def _judged(
        self, scope: dict[str, Any], frame: Frame, receive: Receive, send: Send
    ) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def cancel() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stop.set)

        number = 0
        if frame.kind != "response" and frame.method not in frames.FREE:
            detail = None
            if self._key:
                detail = {"frame": hmac.digest(self._key, frame.raw, "sha256").hex()}
            try:
                number = self._gate.begin(frame.action, None, cancel, detail)
            except Refused as refused:
                await self._refuse(send, frame, str(refused))
                return
        outcome = "unknown"
        try:
            outcome = await self._relay(scope, frame.raw, receive, send, stop, frame)
        finally:
            if number:
                self._gate.end(number, outcome)

    async def _refuse(self, send: Send, frame: Frame, why: str) -> None:
        if frame.id is None:
            await answer(send, 403, why.encode() + b"\n")
        else:
            await answer_json(send, 200, frames.error(frame.id, frames.REFUSED, why))

    async def _listen(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """A stream of the server's own messages, for as long as the gate is open."""
        if not self._gate.is_open:
            await answer(send, 503, b"the gate is closed\n")
            return
        stop = asyncio.Event()

        async def watch() -> None:
            while self._gate.is_open:
                await asyncio.sleep(LOOK)
            stop.set()

        watcher = asyncio.create_task(watch())
        try:
            await self._relay(scope, b"", receive, send, stop)
        finally:
            watcher.cancel()

    async def _relay(
        self,
        scope: dict[str, Any],
        body: bytes,
        receive: Receive,
        send: Send,
        stop: asyncio.Event,
        frame: Frame | None = None,
    ) -> str:
        """Passes one exchange on until its end, a stop, or the client's going; the outcome."""
        reply: Answer | None = None
        begun = partly = False
        target = scope.get("raw_path") or scope["path"].encode()
        if query := scope.get("query_string"):
            target += b"?" + query
        headers = [pair for pair in scope["headers"] if pair[0].lower() not in _HOP]
        endings = [asyncio.create_task(stop.wait()), asyncio.create_task(_hung_up(receive))]
        try:
            asked = self._upstream.request(scope["method"], target, headers, body)
            reply = await _unless(asked, endings)
            passed = [pair for pair in reply.headers if pair[0].lower() not in _HOP]
            await send({"type": "http.response.start", "status": reply.status, "headers": passed})
            begun = True
            chunks = reply.chunks()
            while (chunk := await _unless(anext(chunks, None), endings)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                partly = True
            await send({"type": "http.response.body", "body": b""})
            return "done" if reply.status < 400 else "failed"
        except UpstreamError as error:
            if not begun:
                text = frames.error(frame.id if frame else None, frames.GONE, str(error))
                await answer_json(send, 502, text)
            else:
                await send({"type": "http.response.body", "body": b""})
            return "unknown"
        except _Gone:
            return "unknown"
        except _Stopped:
            if reply is not None:
                reply.close()
            await self._tell(scope, headers, frame)
            streams = reply is not None and any(b"event-stream" in v for _, v in reply.headers)
            await _tell_client(send, frame, begun=begun, partly=partly, streams=streams)
            return "unknown"
        finally:
            for task in endings:
                task.cancel()
            if reply is not None:
                reply.close()

    async def _tell(
        self, scope: dict[str, Any], headers: list[tuple[bytes, bytes]], frame: Frame | None
    ) -> None:
        """A session of an older protocol is told that its request is given up."""
        session = any(name.lower() == b"mcp-session-id" for name, _ in headers)
        if frame is None or frame.id is None or not session:
            return
        kept = [pair for pair in headers if pair[0].lower() != b"mcp-method"]
        body = frames.cancelled(frame.id, "stopped by the gate")
        with contextlib.suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(1.0):
                asked = self._upstream.request("POST", self._upstream.path.encode(), kept, body)
                (await asked).close()


async def _unless(work: Any, endings: Sequence[asyncio.Task[Any]]) -> Any:
    """The result of `work`; raises `_Stopped` or `_Gone` if one of the endings comes first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task, *endings), return_when=asyncio.FIRST_COMPLETED)
        if endings[0].done():
            raise _Stopped
        if endings[1].done():
            raise _Gone
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(BaseException):
                await task


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _tell_client(
    send: Send, frame: Frame | None, *, begun: bool, partly: bool, streams: bool
) -> None:
    """The error as the answer, as its body, or as the last event of its stream."""
    text = b""
    if frame is not None and frame.id is not None:
        why = "stopped while in flight: its outcome is not known"
        text = frames.error(frame.id, frames.REFUSED, why)
    if not begun:
        await answer_json(send, 200 if text else 503, text or json.dumps(None).encode())
        return
    if streams and text:
        text = b"event: message\r\ndata: " + text.strip() + b"\r\n\r\n"
    elif partly:
        text = b""  # half a JSON value cannot become an error
    await send({"type": "http.response.body", "body": text})
