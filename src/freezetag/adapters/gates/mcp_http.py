"""An MCP server on streamable HTTP behind a gate: an ASGI reverse proxy.

    proxy = McpHttpProxy(gate, "http://127.0.0.1:9000/mcp", allowed_hosts=["127.0.0.1:8100"])

Every POST is judged by itself, as `mcp_stdio` judges a line, so it needs no session. An action of
the gate lasts until its answer has come to an end. On a stop the stream to the server is closed
(which cancels, since protocol 2026-07-28; for a session of an older one the server is also sent
`notifications/cancelled`), and the client gets error -32050.

No answer passes that leads past the proxy: redirects, headers and events that name another address,
changes of protocol (`mcp_leads`, `mcp_events`).

Caveat: a closed stream proves nothing about the server, so the outcome is entered as unknown. What
the server asks of the client on a GET stream is not judged; a stop closes these streams. The server
must not be reachable past the proxy, and what a tool's own result says is not looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, final

from freezetag.adapters.gates import mcp_frames as frames
from freezetag.adapters.gates import mcp_leads as leads
from freezetag.adapters.gates.asgi import Receive, Send, answer, answer_json, lifespan
from freezetag.adapters.gates.http_client import Answer, Upstream, UpstreamError
from freezetag.adapters.gates.mcp_events import EndpointEvent, Events, TooLarge
from freezetag.adapters.gates.mcp_frames import BadFrame, Frame
from freezetag.adapters.gates.mcp_leads import Elsewhere
from freezetag.adapters.gates.mcp_oversized import Oversized
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused

LOOK = 0.1
"""Seconds between looks whether an idle stream is still allowed."""
PATIENCE = 1.0
"""Seconds for what is said after a stop to a peer that may not listen."""
_ONCE = (b"host", b"origin", b"content-type", b"content-encoding", b"mcp-method")
_WELL_KNOWN = "/.well-known/"
_OLD_TRANSPORT = (
    "the server's stream names an endpoint to post to, which was not passed on: it speaks the "
    "transport of 2024-11-05. Give --upstream its endpoint for streamable HTTP, or run it on stdio"
)


class _Stopped(Exception):
    """The gate wants this action to end."""


class _Gone(Exception):
    """The client has hung up."""


@final
class McpHttpProxy:
    """An ASGI application in front of the MCP endpoint `upstream`; run it with any ASGI server.

    `allowed_hosts` are the `Host` headers to answer to ("name:port", or "name:*"), and the only
    hosts that an `Origin` may name beside `allowed_origins`: without it, a web page could reach a
    local server by DNS rebinding. With `key`, requests are journalled as HMAC-SHA256. `largest` is
    a limit in bytes of a message. `say` gets a line for each kind of thing that was not passed on.
    Raises `UserError`.
    """

    def __init__(
        self,
        gate: GateLike,
        upstream: str,
        *,
        allowed_hosts: Sequence[str],
        allowed_origins: Sequence[str] = (),
        largest: int = frames.LARGEST,
        key: bytes = b"",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        if not allowed_hosts:
            raise UserError("allowed_hosts is empty: nobody could be answered. Give HOST:PORT.")
        for origin in allowed_origins:
            if leads.Origin.of(origin) is None or origin.count("/") != 2:
                raise UserError(
                    f"{origin!r} is not an origin: write http://HOST:PORT, without a path."
                )
        self._gate, self._upstream, self._key = gate, Upstream(upstream), key
        self._hosts = tuple(host.lower() for host in allowed_hosts)
        self._origins = tuple(origin.lower() for origin in allowed_origins)
        self._largest, self._say, self._said = largest, say, set[str]()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        path, method = scope["path"], scope["method"]
        known = path == self._upstream.path
        public = path.startswith(_WELL_KNOWN) and ".." not in path
        names = [name.lower() for name, _ in scope["headers"]]
        if any(names.count(name) > 1 for name in _ONCE):
            await answer(send, 400, b"a header that is judged is given twice\n")
        elif not self._is_host(headers.get(b"host", b"").decode("latin-1").lower()):
            await answer(send, 421, b"this host is not allowed here\n")
        elif not self._is_origin(headers.get(b"origin", b"").decode("latin-1").lower()):
            await answer(send, 403, b"this origin is not allowed here: --origin allows one\n")
        elif not (known or (public and method in ("GET", "OPTIONS"))):
            hint = f"no such endpoint: this guard answers at {self._upstream.path}\n"
            await answer(send, 404, hint.encode())
        elif method == "POST":
            await self._post(scope, headers, receive, send)
        elif public or method in ("DELETE", "OPTIONS"):
            await self._relay(scope, b"", receive, send, asyncio.Event())
        elif method == "GET":
            await self._listen(scope, receive, send)
        else:
            await answer(send, 405, b"POST, GET, DELETE or OPTIONS\n")

    def _is_host(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        wild = bool(name) and port.isdigit() and f"{name}:*" in self._hosts
        return host in self._hosts or wild

    def _is_origin(self, origin: str) -> bool:
        """Without one it is not a web page that asks."""
        return not origin or origin in self._origins or self._is_host(origin.partition("://")[2])

    async def _post(
        self, scope: dict[str, Any], headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            await answer(send, 415, b"send application/json\n")
            return
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            await answer(send, 415, b"send it uncompressed: what is judged must be readable\n")
            return
        try:
            body = await _read(receive, self._largest)
        except _Gone:
            return
        if isinstance(body, Oversized):
            why = f"a message of {body.size} bytes is too large: the limit is {self._largest}"
            self._note(f"the client's {why[2:]}; it was not passed on")
            await answer_json(send, 413, frames.error(body.id, frames.INVALID, why))
            return
        try:
            frame = frames.read(body, largest=self._largest)
            if headers.get(b"mcp-method", frame.method.encode()) != frame.method.encode():
                raise BadFrame(frames.INVALID, "Mcp-Method is not the method", frame.id)
        except BadFrame as bad:
            errors = b",".join(error.strip() for error in bad.answers())
            await answer_json(send, 400, b"[%b]" % errors if len(bad.ids) > 1 else errors)
            return
        await self._judged(scope, frame, receive, send)

    def _note(self, line: str) -> None:
        """Says a line, once."""
        if line not in self._said and len(self._said) < 100:
            self._said.add(line)
            self._say(line)

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
        client = _Client(send)
        target = scope.get("raw_path") or scope["path"].encode()
        if query := scope.get("query_string"):
            target += b"?" + query
        headers = leads.asked(scope["headers"])
        endings = [asyncio.create_task(stop.wait()), asyncio.create_task(_hung_up(receive))]
        try:
            reply = await _unless(self._ask(scope["method"], target, headers, body), endings)
            own = f"{scope.get('scheme', 'http')}://{_host(scope)}"
            passed = leads.passed(reply.headers, self._upstream.origin, own, self._note)
            start = {"type": "http.response.start", "status": reply.status, "headers": passed}
            await _unless(client.send(start), endings)
            streams = _streams(reply)
            chunks = self._events(reply) if streams else reply.chunks()
            while (chunk := await _unless(anext(chunks, None), endings)) is not None:
                message = {"type": "http.response.body", "body": chunk, "more_body": True}
                await _unless(client.send(message), endings)
            end = {"type": "http.response.body", "body": b""}
            try:
                await _unless(client.send(end), endings)
            except (_Gone, _Stopped):  # the answer is whole all the same
                if not client.ended:
                    await _say(client.send(end))
            if frame is not None and frame.kind == "request" and reply.status == 202:
                return "unknown"  # taken, and not answered: nothing will say when it is over
            return "done" if reply.status < 400 else "failed"
        except (UpstreamError, Elsewhere, EndpointEvent, TooLarge) as error:
            text = self._excuse(error)
            body = frames.error(frame.id if frame else None, frames.GONE, text)
            if not client.begun:
                await _say(answer_json(client.send, 502, body))
            else:
                waits = frame is not None and frame.id is not None and streams
                last = _event(body) if waits else b""
                await _say(client.send({"type": "http.response.body", "body": last}))
            return "unknown"
        except _Gone:
            return "unknown"
        except _Stopped:
            streams = reply is not None and _streams(reply)
            if reply is not None:
                reply.close()
            await self._tell(scope, headers, frame)
            await _say(_tell_client(client, frame, streams=streams))
            return "unknown"
        finally:
            for task in endings:
                task.cancel()
            if reply is not None:
                reply.close()

    async def _ask(self, method: str, target: bytes, headers: leads.Headers, body: bytes) -> Answer:
        """The server's answer, one redirect within the server followed. Raises `Elsewhere`."""
        reply = await self._upstream.request(method, target, headers, body)
        if not leads.redirects(reply.status):
            return reply
        reply.close()
        url = self._upstream.origin + target.decode("latin-1")
        again = leads.followed(url, method, reply.status, reply.headers)
        is_public = target.startswith(_WELL_KNOWN.encode())
        if is_public and not again.startswith(_WELL_KNOWN.encode()):
            raise Elsewhere("the server redirects out of /.well-known/, which is not followed.")
        reply = await self._upstream.request(method, again, headers, body)
        if leads.redirects(reply.status):
            reply.close()
            raise Elsewhere("the server redirects a second time, which is not followed.")
        return reply

    async def _events(self, reply: Answer) -> AsyncIterator[bytes]:
        """A stream's bytes, each event once it is whole. Raises `EndpointEvent`, `TooLarge`."""
        coded = [v for n, v in reply.headers if n.lower() == b"content-encoding"]
        if any(value.strip().lower() != b"identity" for value in coded):
            raise Elsewhere("the server's stream is compressed, so it could not be looked at.")
        events = Events(self._largest)
        async for chunk in reply.chunks():
            if passed := events.feed(chunk):
                yield passed
        if rest := events.end():
            yield rest

    def _excuse(self, error: Exception) -> str:
        """Why an answer was not passed on, said here once and to the client."""
        if isinstance(error, UpstreamError):
            return str(error)
        if isinstance(error, TooLarge):
            text = f"the server's answer is too large: the limit is {self._largest} bytes an event"
        else:
            text = str(error) if isinstance(error, Elsewhere) else _OLD_TRANSPORT
        self._note(text)
        return text

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
            async with asyncio.timeout(PATIENCE):
                asked = self._upstream.request("POST", self._upstream.path.encode(), kept, body)
                (await asked).close()


async def _unless(work: Any, endings: Sequence[asyncio.Task[Any]]) -> Any:
    """The result of `work`; raises `_Stopped` or `_Gone` if one of the endings comes first."""
    task = asyncio.ensure_future(work)
    taken = False
    try:
        await asyncio.wait((task, *endings), return_when=asyncio.FIRST_COMPLETED)
        if endings[0].done():
            raise _Stopped
        if endings[1].done():
            raise _Gone
        taken = True
        return task.result()
    finally:
        if not taken:
            task.cancel()
            with contextlib.suppress(BaseException):
                if isinstance(late := await task, Answer):
                    late.close()  # it came together with the ending


async def _say(message: Awaitable[None]) -> None:
    """Sends it, unless the client does not read."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await message


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive, largest: int) -> bytes | Oversized:
    """The whole body, or what was seen of one that is too large. Raises `_Gone`."""
    body = bytearray()
    passing: Oversized | None = None
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        if passing is not None or len(body) > largest:
            passing = passing or Oversized()
            passing.feed(body)
            body.clear()
            if passing.size > 8 * largest:  # without an end in sight
                return passing
        if not message.get("more_body"):
            return bytes(body) if passing is None else passing


def _host(scope: dict[str, Any]) -> str:
    hosts: list[bytes] = [value for name, value in scope["headers"] if name.lower() == b"host"]
    return hosts[0].decode("latin-1")


def _streams(reply: Answer) -> bool:
    """Whether the answer's body is a stream of events."""
    kinds = [value for name, value in reply.headers if name.lower() == b"content-type"]
    return any(kind.strip().lower().startswith(b"text/event-stream") for kind in kinds)


def _event(frame: bytes) -> bytes:
    return b"event: message\r\ndata: " + frame.strip() + b"\r\n\r\n"


@final
class _Client:
    """Where an answer goes, and how much of it has gone; what is put off may never be sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.partly = self.ended = False

    async def send(self, message: dict[str, Any]) -> None:
        self.begun = True
        self.partly = self.partly or bool(message.get("body"))
        is_body = message["type"] == "http.response.body"
        self.ended = is_body and not message.get("more_body", False)
        await self._send(message)


async def _tell_client(client: _Client, frame: Frame | None, *, streams: bool) -> None:
    """The error as the answer, as its body, or as the last event of its stream."""
    text = b""
    if frame is not None and frame.id is not None:
        why = "stopped while in flight: its outcome is not known"
        text = frames.error(frame.id, frames.REFUSED, why)
    if not client.begun:
        none = json.dumps(None).encode()
        await answer_json(client.send, 200 if text else 503, text or none)
        return
    if streams and text:
        text = _event(text)
    elif client.partly:
        text = b""  # half a JSON value cannot become an error
    await client.send({"type": "http.response.body", "body": text})
