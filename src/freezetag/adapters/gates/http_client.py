"""One HTTP request to an upstream server, streamed, over asyncio and h11.

A connection each: simple, and closing it is how a streamed answer is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any, final
from urllib.parse import urlsplit

from freezetag.core.errors import UserError

Headers = Sequence[tuple[bytes, bytes]]


class UpstreamError(Exception):
    """The upstream server did not answer, or not in HTTP."""


@final
class Upstream:
    """The `origin` and `path` behind `url`. Raises `UserError` for what is no http(s) address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            self.port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (KeyError, ValueError):
            raise UserError(f"{url!r} is not an address: give http://HOST:PORT/PATH.") from None
        if not parts.hostname:
            raise UserError(f"{url!r} names no host: give http://HOST:PORT/PATH.")
        self.host, self.path = parts.hostname, parts.path or "/"
        self.origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.authority = parts.netloc.rpartition("@")[2].encode()
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    async def request(self, method: str, target: bytes, headers: Headers, body: bytes) -> Answer:
        """Sends the request and reads the head of the answer. Raises `UpstreamError`."""
        import h11

        connection = h11.Connection(h11.CLIENT)
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self._tls)
        except OSError as error:
            raise UpstreamError(f"the server does not answer: {error}") from None
        answer = Answer(connection, reader, writer)
        try:
            head = [
                (b"Host", self.authority),
                (b"Connection", b"close"),
                (b"Content-Length", str(len(body)).encode()),
                *headers,
            ]
            parts: list[Any] = [h11.Request(method=method, target=target, headers=head)]
            if body:
                parts.append(h11.Data(data=body))
            for part in (*parts, h11.EndOfMessage()):
                if data := connection.send(part):
                    writer.write(data)
            await writer.drain()
            event = await answer.event()
            while isinstance(event, h11.InformationalResponse):
                event = await answer.event()
            if not isinstance(event, h11.Response):
                raise UpstreamError("the server closed the connection without an answer")
            answer.status = event.status_code
            answer.headers = [(bytes(name), bytes(value)) for name, value in event.headers]
        except (OSError, h11.ProtocolError) as error:
            answer.close()
            raise UpstreamError(f"the server does not answer: {error}") from None
        except BaseException:
            answer.close()
            raise
        return answer


@final
class Answer:
    """`status`, `headers`, and the body chunk by chunk; `close` gives up the rest."""

    def __init__(
        self, connection: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connection, self._reader, self._writer = connection, reader, writer
        self.status, self.headers = 0, list[tuple[bytes, bytes]]()

    async def event(self) -> Any:
        import h11

        while (event := self._connection.next_event()) is h11.NEED_DATA:
            self._connection.receive_data(await self._reader.read(1 << 16))
        return event

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `UpstreamError` where it breaks off."""
        import h11

        try:
            while isinstance(event := await self.event(), h11.Data):
                yield bytes(event.data)
        except (OSError, h11.ProtocolError) as error:
            raise UpstreamError(f"the answer broke off: {error}") from None

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._writer.transport.abort()  # at once, whatever the server has not read yet
