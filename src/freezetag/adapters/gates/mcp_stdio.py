"""An MCP server on stdio behind a gate: a pump of newline-delimited JSON-RPC between two pipes.

It needs no SDK and knows no protocol version. Requests that can have an effect (all but
`mcp_frames.FREE`, in both directions) are actions of the gate from their forwarding to their
response; a refused one is answered with error -32050 and never reaches the other side. On a stop,
what is in flight gets `notifications/cancelled` and whoever waits for it is answered at once;
killing the server is the host's part. However a caller is released (by a stop, by its own
cancelling), the action stays in flight until its response comes or the server has ended.

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
from collections.abc import Callable
from functools import partial
from typing import Any, final

from freezetag.adapters.gates import mcp_frames as frames
from freezetag.adapters.gates.mcp_frames import BadFrame, Frame, Id
from freezetag.adapters.gates.mcp_lines import lines
from freezetag.adapters.gates.mcp_oversized import Oversized
from freezetag.adapters.gates.mcp_process import Process
from freezetag.core.gate import GateLike, Refused

MOST_IN_FLIGHT = 10_000
IN_FLIGHT = "stopped while in flight: its outcome is not known"


@final
class Side:
    """One of the two peers: where its frames come from, where frames to it go, what it asked for.

    `waiting` maps the ids of its requests to action numbers of the gate; 0 for a free one. Requests
    that it no longer waits for are still in flight: `left` holds those that it cancelled itself,
    `released` those that we answered in a stop, whose own answers go nowhere.
    """

    def __init__(self, name: str, source: int, sink: int) -> None:
        self.name, self.source, self.sink = name, source, sink
        self.waiting: dict[Id, int] = {}
        self.left: dict[Id, list[int]] = {}
        self.released: dict[Id, int] = {}
        self.cancelled: set[Id] = set()
        self.answering = threading.Lock()  # held from sending an answer here to freeing its id
        # A stop must not wait for a peer that does not read: what it sends goes by a thread.
        self.later: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def send(self, line: bytes) -> None:
        """Writes one whole line; a peer that has gone is not an error."""
        with self._lock, contextlib.suppress(OSError):
            while line:
                line = line[os.write(self.sink, line) :]

    def close(self) -> None:
        """No more frames to this side."""
        with self._lock, contextlib.suppress(OSError):
            os.close(self.sink)
        self.sink = -1

    def afterwards(self) -> None:
        """Does what was put off, in its order, until there is None."""
        while (item := self.later.get()) is not None:
            item()


@final
class McpPump:
    """Moves frames between a client (file descriptors to read and write) and a server.

    `start` returns at once; `join` waits until the client is gone. `process` tells when the server
    has ended, although another process holds its pipes. With `key`, each request is journalled as
    its HMAC-SHA256; else by name alone. `largest` is a limit in bytes of a frame of either side;
    whoever waits for one that is larger gets an error. What a server prints that is not a frame
    goes to `aside` if there is one, else to the client. `say` gets a line for what goes wrong;
    `on_client_gone` is called once.
    """

    def __init__(
        self,
        gate: GateLike,
        client: tuple[int, int],
        server: tuple[int, int],
        *,
        process: Process | None = None,
        max_seconds: float | None = None,
        key: bytes = b"",
        largest: int = frames.LARGEST,
        aside: Callable[[bytes], None] | None = None,
        say: Callable[[str], None] = lambda line: None,
        on_client_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._gate, self._max_seconds, self._process = gate, max_seconds, process
        self._keyed = hmac.new(key, digestmod="sha256") if key else None
        self._client, self._server = Side("client", *client), Side("server", *server)
        self._largest, self._aside, self._say = largest, aside, say
        self._on_client_gone = on_client_gone
        self._lock = threading.Lock()
        self._server_gone = False
        works: list[Callable[[], None]] = [
            partial(self._pump, self._client, self._server),
            partial(self._pump, self._server, self._client),
            self._client.afterwards,
            self._server.afterwards,
        ]
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def start(self) -> McpPump:
        for thread in self._threads:
            thread.start()
        return self

    def join(self, timeout: float | None = None) -> None:
        """Until the client has closed its side; requests are answered (refused) until then."""
        self._threads[0].join(timeout)

    def join_server(self, timeout: float | None = None) -> None:
        """Until the server has ended or closed its side, and those who waited for it are told."""
        self._threads[1].join(timeout)

    def _pump(self, here: Side, there: Side) -> None:
        process = self._process if here is self._server else None
        try:
            for line in lines(here.source, self._largest, process):
                if isinstance(line, Oversized):
                    self._too_large(line, here, there)
                elif line and not line.isspace():
                    self._line(line, here, there)
        finally:
            self._ended(here, there)  # also after an error of ours: nothing passes unjudged

    def _line(self, line: bytes, here: Side, there: Side) -> None:
        if here is self._client:
            try:
                frame = frames.read(line, largest=self._largest)
            except BadFrame as bad:
                for error in bad.answers():
                    here.send(error)
                return
            self._frame(frame, here, there)
            return
        if self._aside is None and not there.released and frames.asks_nothing(line):
            self._pass_answer(line, there)
        else:
            self._from_server(line)

    def _from_server(self, line: bytes) -> None:
        parts = frames.parts(line)
        for part in parts:
            try:
                frame = frames.read(part, trusted=True, largest=self._largest)
            except BadFrame:
                self._stray(line if len(parts) == 1 else part, self._client)
                continue
            if self._aside is None and len(parts) == 1:
                frame = frame._replace(raw=frames.mark_of(line) + frame.raw)
            self._frame(frame, self._server, self._client)

    def _frame(self, frame: Frame, here: Side, there: Side) -> None:
        if frame.kind == "request":
            self._request(frame, here, there)
        elif frame.kind == "response":
            self._response(frame, there)
        else:
            self._notification(frame, here, there)

    def _stray(self, line: bytes, client: Side) -> None:
        """What a server prints is the client's to complain of, unless it could be a question."""
        if self._aside is not None:
            self._aside(line + b"\n")
        elif self._gate.is_open or not frames.may_ask(line):
            client.send(frames.one_line(line.removesuffix(b"\r")) + b"\n")
        else:
            self._say("a line of the server is not a frame and was not passed on: the gate is shut")

    def _too_large(self, frame: Oversized, here: Side, there: Side) -> None:
        """Whoever waits for it, or sent it, is told: nobody may wait for ever."""
        what = "frame" if frame.asks else "answer"
        why = f"{what} of {frame.size} bytes is too large: the limit is {self._largest}"
        self._say(f"the {here.name}'s {why}; it was not passed on")
        if frame.asks:
            if frame.id is not None or here is self._client:
                here.send(frames.error(frame.id, frames.INVALID, f"a {why}"))
            return
        with there.answering:
            number, awaited = self._forget(there, frame.id)
            if awaited and frame.id is not None:
                there.send(frames.error(frame.id, frames.GONE, f"the {why}"))
        self._end(number, "failed" if "error" in frame.keys else "done")

    def _request(self, frame: Frame, here: Side, there: Side) -> None:
        assert frame.id is not None
        if frame.id in here.waiting:
            with here.answering:  # its answer may have been sent just now
                pass
        twice = frame.id in here.waiting or frame.id in here.released
        if twice or len(here.waiting) + len(here.left) >= MOST_IN_FLIGHT:
            why = "this id is in flight" if twice else "too many in flight"
            here.send(frames.error(frame.id, frames.INVALID, why))
            return
        if self._server_gone and self._gate.is_open:
            here.send(frames.error(frame.id, frames.GONE, self._end_of_server()))
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
            gone, stopped = self._server_gone, frame.id in here.cancelled
            here.cancelled.discard(frame.id)
            if not (gone or stopped):
                here.waiting[frame.id] = number
        if gone or stopped:  # between admission and forwarding
            self._end(number, "failed")
            crashed = gone and self._gate.is_open
            code = frames.GONE if crashed else frames.REFUSED
            why = self._end_of_server() if crashed else "stopped before it was forwarded"
            here.send(frames.error(frame.id, code, why))
            return
        there.send(frame.raw + b"\n")

    def _pass_answer(self, line: bytes, there: Side) -> None:
        """What surely is not a request needs no judging: it goes on first and is read then."""
        number, outcome = 0, "done"
        with there.answering:
            if awaited := not there.released:
                there.send(line.strip() + b"\n")
                with contextlib.suppress(BadFrame):  # what a server prints is the client's matter
                    frame = frames.read(line, trusted=True, largest=self._largest)
                    number, _ = self._forget(there, frame.id)
                    outcome = "failed" if frame.failed else "done"
        if awaited:
            self._end(number, outcome)
        else:  # a stop came in between, so perhaps nobody waits for it
            self._from_server(line)

    def _response(self, frame: Frame, there: Side) -> None:
        """The id is free again before whoever waits can use it, the journal comes after."""
        with there.answering:
            number, awaited = self._forget(there, frame.id)
            if awaited:
                there.send(frame.raw + b"\n")
        self._end(number, "failed" if frame.failed else "done")

    def _notification(self, frame: Frame, here: Side, there: Side) -> None:
        if frame.method == "notifications/cancelled":
            self._leave(here, frame.params)
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

    def _end(self, number: int, outcome: str) -> None:
        if number:
            self._gate.end(number, outcome)

    def _forget(self, side: Side, ident: Id | None) -> tuple[int, bool]:
        """The action that request `ident` was, if any, and whether its answer is to be passed on.

        From now on the id is free. Where one id was used again after its first request had been
        cancelled, any answer ends the later one: their number in flight is right all the same.
        """
        if ident is None:
            return 0, True
        with self._lock:
            side.cancelled.discard(ident)
            if ident in side.waiting:
                return side.waiting.pop(ident), True
            if ident in side.released:
                return side.released.pop(ident), False
            if numbers := side.left.get(ident):
                number = numbers.pop()
                if not numbers:
                    del side.left[ident]
                return number, True
        return 0, True

    def _cancel(self, here: Side, there: Side, ident: Id) -> None:
        """Called by the gate under its lock, so this only leaves notes."""
        here.cancelled.add(ident)
        notice = frames.cancelled(ident, "stopped by the gate")
        there.later.put(partial(there.send, notice))
        here.later.put(partial(self._release, here, ident))

    def _release(self, side: Side, ident: Id) -> None:
        """Whoever waits is answered; the action stays in flight until its own answer."""
        with side.answering:
            with self._lock:
                if not side.waiting.get(ident):
                    return  # answered, or given up by whoever asked
                side.released[ident] = side.waiting.pop(ident)
            side.send(frames.error(ident, frames.REFUSED, IN_FLIGHT))

    def _leave(self, side: Side, params: Any) -> None:
        """Whoever asked no longer waits, and by the protocol no answer needs to come."""
        ident = params.get("requestId") if isinstance(params, dict) else None
        if not isinstance(ident, int | str):
            return
        with self._lock:
            if number := side.waiting.pop(ident, 0):
                side.left.setdefault(ident, []).append(number)

    def _ended(self, here: Side, there: Side) -> None:
        if here is self._client:
            there.close()
            for side in (here, there):
                side.later.put(None)
            self._on_client_gone()
            return
        # The server has gone. Whoever waits for it is told; what was in flight is not known.
        with self._lock:
            self._server_gone = True
            waiting = dict(self._client.waiting)
            unknown = [*self._server.waiting.values()]
            for side in (self._client, self._server):
                unknown += side.released.values()
                unknown += [number for numbers in side.left.values() for number in numbers]
                side.waiting, side.released, side.left = {}, {}, {}
        crashed = self._gate.is_open
        for number in unknown:
            self._end(number, "unknown")
        for ident, number in waiting.items():
            self._end(number, "unknown")
            code = frames.GONE if crashed else frames.REFUSED
            self._client.send(
                frames.error(ident, code, self._end_of_server() if crashed else IN_FLIGHT)
            )

    def _end_of_server(self) -> str:
        code = self._process.exit_code(0.2) if self._process is not None else None
        if code is None:
            return "the server has closed its output: what was in flight is not known"
        how = f"was killed by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
        return f"the server {'crashed: it ' if code else ''}{how}; what was in flight is not known"

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
