"""An MCP server on stdio behind a gate: a pump of newline-delimited JSON-RPC between two pipes.

It needs no SDK and knows no protocol version. Requests that can have an effect (all but
`mcp_frames.FREE`, in both directions) are actions of the gate from their forwarding to their
response; a refused one is answered with error -32050 and never reaches the other side. On a stop,
what is in flight gets `notifications/cancelled`; killing the server is the host's part.

Caveat: a server that is asked to cancel may go on, and what it starts outside its request is not
seen here. An agent that can start the server by itself needs no proxy: tier 1 is a matter of who
holds the credentials.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, final

from freezetag.adapters.gated import mcp_frames as frames
from freezetag.adapters.gated.mcp_frames import BadFrame, Frame, Id
from freezetag.core.gate import GateLike, Refused

MOST_IN_FLIGHT = 10_000


@final
class Side:
    """One of the two peers: where its frames come from, where frames to it go, what it waits for.

    `waiting` maps the ids of its requests to action numbers of the gate; 0 for a free one.
    """

    def __init__(self, name: str, source: int, sink: int) -> None:
        self.name, self.source, self.sink = name, source, sink
        self.waiting: dict[Id, int] = {}
        self.given_up: dict[Id, float] = {}  # until when an answer may still come
        self.cancelled: set[Id] = set()
        self.answering = threading.Lock()  # held from sending an answer here to freeing its id
        self._lock = threading.Lock()

    def send(self, line: bytes) -> None:
        """Writes one whole line; a peer that has gone is no error."""
        with self._lock, contextlib.suppress(OSError):
            while line:
                line = line[os.write(self.sink, line) :]

    def close(self) -> None:
        """No more frames to this side."""
        with self._lock, contextlib.suppress(OSError):
            os.close(self.sink)
        self.sink = -1


@final
class McpPump:
    """Moves frames between a client (file descriptors to read and write) and a server.

    `start` returns at once; `join` waits until the client is gone. `drain` is how long a cancelled
    request may still be answered before its outcome is entered as unknown. With `key`, each
    request is journalled as its HMAC-SHA256; else by name alone. `on_client_gone` is called once.
    """

    def __init__(
        self,
        gate: GateLike,
        client: tuple[int, int],
        server: tuple[int, int],
        *,
        drain: float = 5.0,
        max_seconds: float | None = None,
        key: bytes = b"",
        on_client_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._gate, self._drain, self._max_seconds = gate, drain, max_seconds
        self._keyed = hmac.new(key, digestmod="sha256") if key else None
        self._client, self._server = Side("client", *client), Side("server", *server)
        self._on_client_gone = on_client_gone
        # A stop must not wait for a peer that does not read: cancellations go by a thread.
        self._later: queue.SimpleQueue[tuple[Side, bytes] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._server_gone = False
        self._threads = [
            threading.Thread(target=self._pump, args=(self._client, self._server), daemon=True),
            threading.Thread(target=self._pump, args=(self._server, self._client), daemon=True),
            threading.Thread(target=self._afterwards, daemon=True),
        ]

    def start(self) -> McpPump:
        for thread in self._threads:
            thread.start()
        return self

    def join(self, timeout: float | None = None) -> None:
        """Until the client has closed its side; requests are answered (refused) until then."""
        self._threads[0].join(timeout)

    def join_server(self, timeout: float | None = None) -> None:
        """Until the server has closed its side, and those who waited for it are told."""
        self._threads[1].join(timeout)

    def _pump(self, here: Side, there: Side) -> None:
        try:
            for line in _lines(here.source):
                self._line(line, here, there)
        finally:
            self._ended(here, there)  # also after an error of ours: nothing passes unjudged

    def _line(self, line: bytes | int, here: Side, there: Side) -> None:
        if isinstance(line, int):
            bad = BadFrame(frames.INVALID, f"a frame of {line} bytes is too large")
            self._reject(here, there, b"", bad)
            return
        if not line or line.isspace():
            return
        if here is self._server and frames.asks_nothing(line):
            self._pass_answer(line, there)
            return
        try:
            frame = frames.read(line, trusted=here is self._server)
        except BadFrame as bad:
            self._reject(here, there, line, bad)
            return
        if frame.kind == "request":
            self._request(frame, here, there)
        elif frame.kind == "response":
            self._response(frame, there)
        else:
            self._notification(frame, here, there)

    def _reject(self, here: Side, there: Side, line: bytes, bad: BadFrame) -> None:
        if here is self._client:
            here.send(frames.error(bad.id, bad.code, str(bad)))
        elif line:
            there.send(line + b"\n")  # what a server prints is the client's to complain of

    def _request(self, frame: Frame, here: Side, there: Side) -> None:
        assert frame.id is not None
        if frame.id in here.waiting:
            with here.answering:  # its answer may have been sent just now
                pass
        if frame.id in here.waiting or len(here.waiting) >= MOST_IN_FLIGHT:
            why = "this id is in flight" if frame.id in here.waiting else "too many in flight"
            here.send(frames.error(frame.id, frames.INVALID, why))
            return
        number = 0
        if frame.method not in frames.FREE:
            cancel = partial(self._cancel, here, there, frame.id)
            try:
                number = self._gate.begin(
                    frame.action, self._max_seconds, cancel, self._detail(frame)
                )
            except Refused as refused:
                here.send(_refusal(frame.id, refused))
                return
        with self._lock:
            here.waiting[frame.id] = number
            stopped = frame.id in here.cancelled or self._server_gone
        if stopped:  # between admission and forwarding
            self._over(here, frame.id, "failed")
            here.send(frames.error(frame.id, frames.REFUSED, "stopped before it was forwarded"))
            return
        there.send(frame.raw + b"\n")

    def _pass_answer(self, line: bytes, there: Side) -> None:
        """What surely is no request needs no judging: it goes on first and is read then."""
        number, outcome = 0, "done"
        with there.answering:
            there.send(line.strip() + b"\n")
            with contextlib.suppress(BadFrame):  # what a server prints is the client's matter
                frame = frames.read(line, trusted=True)
                number = self._forget(there, frame.id)
                outcome = "failed" if frame.failed else "done"
        if number:
            self._gate.end(number, outcome)

    def _response(self, frame: Frame, there: Side) -> None:
        """The id is free again before whoever waits can use it, the journal comes after."""
        number = self._forget(there, frame.id)
        there.send(frame.raw + b"\n")
        if number:
            self._gate.end(number, "failed" if frame.failed else "done")

    def _notification(self, frame: Frame, here: Side, there: Side) -> None:
        if frame.method == "notifications/cancelled":
            self._give_up(here, frame.params)
        if frame.method not in frames.FREE and here is self._client:
            # Nobody can be answered, and nothing will say when it is over.
            try:
                number = self._gate.begin(frame.action, self._max_seconds)
            except Refused:
                return
            there.send(frame.raw + b"\n")
            self._gate.end(number, "unknown" if _is_request(frame.method) else "done")
            return
        there.send(frame.raw + b"\n")

    def _over(self, side: Side, ident: Id, outcome: str) -> None:
        if number := self._forget(side, ident):
            self._gate.end(number, outcome)

    def _forget(self, side: Side, ident: Id | None) -> int:
        """The action that request `ident` was, if any; from now on the id is free."""
        if ident is None:
            return 0
        with self._lock:
            side.given_up.pop(ident, None)
            side.cancelled.discard(ident)
            return side.waiting.pop(ident, 0)

    def _cancel(self, here: Side, there: Side, ident: Id) -> None:
        """Called by the gate under its lock, so this only leaves a note."""
        here.cancelled.add(ident)
        self._later.put((there, frames.cancelled(ident, "stopped by the gate")))

    def _give_up(self, side: Side, params: Any) -> None:
        """The one who asked no longer waits; by the protocol no answer needs to come."""
        ident = params.get("requestId") if isinstance(params, dict) else None
        with self._lock:
            if isinstance(ident, int | str) and ident in side.waiting:
                side.given_up[ident] = time.monotonic() + self._drain

    def _afterwards(self) -> None:
        """Sends cancellations, and ends what was given up and never answered."""
        while True:
            try:
                item = self._later.get(timeout=0.25)
            except queue.Empty:
                now = time.monotonic()
                for side in (self._client, self._server):
                    with self._lock:
                        late = [ident for ident, end in side.given_up.items() if now > end]
                    for ident in late:
                        self._over(side, ident, "unknown")
                continue
            if item is None:
                return
            item[0].send(item[1])

    def _ended(self, here: Side, there: Side) -> None:
        if here is self._client:
            there.close()
            self._later.put(None)
            self._on_client_gone()
            return
        # The server has gone. Whoever waits for it is told; what it had in flight is not known.
        with self._lock:
            self._server_gone = True
            waiting = list(self._client.waiting)
        for ident in waiting:
            closed = not self._gate.is_open
            code = frames.REFUSED if closed else frames.GONE
            text = "stopped while in flight: its outcome is not known" if closed else "server gone"
            self._over(self._client, ident, "unknown")
            self._client.send(frames.error(ident, code, text))

    def _detail(self, frame: Frame) -> Any:
        if self._keyed is None:
            return None
        code = self._keyed.copy()
        code.update(frame.raw)
        return {"frame": code.hexdigest()}


def _refusal(ident: Id, refused: Refused) -> bytes:
    data = [f"{trip.interlock} {trip.sensor} {trip.kind}" for trip in refused.trips]
    return frames.error(ident, frames.REFUSED, str(refused), {"trips": data})


def _is_request(method: str) -> bool:
    return not method.startswith("notifications/")


def _lines(source: int) -> Iterator[bytes | int]:
    """Lines without their ends; for one that is too long its length, once it has passed."""
    buffer, searched, skipped = bytearray(), 0, 0
    while True:
        try:
            chunk = os.read(source, 1 << 16)
        except OSError:
            return
        if not chunk:
            return  # what has no line end is no frame
        buffer += chunk
        while (end := buffer.find(b"\n", searched)) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            searched = 0
            if skipped or len(line) > frames.LARGEST:
                yield skipped + len(line)
                skipped = 0
            else:
                yield line
        searched = len(buffer)
        if searched > frames.LARGEST:
            skipped += searched
            buffer.clear()
            searched = 0
