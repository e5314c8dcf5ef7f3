"""A listener: one socket, a thread with its own loop, places and deadlines: none starves another.

A connection that sends no whole request in time is closed. One too many takes the place of a
stranger who keeps the listener waiting (see `places`); if all are being answered, it waits in the
kernel's queue and is not turned away. So a crowd cannot keep a press out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from freezetag.core.errors import UserError
from freezetag.live.server.places import Place, Places, source_of
from freezetag.live.signed.frames import LARGEST

if TYPE_CHECKING:
    from uvicorn import Server

BACKLOG = 2048
AT_ONCE = 16
"""Connections that are accepted before those that are there are served again."""
PAUSE = 0.02
"""Seconds until a listener looks again, where every place is being answered."""
SPARE_FILES = 128
"""Open files that are kept for the ledger, the folder and the console."""


class ListenError(UserError):
    """An address that cannot be listened on; the text says which and why."""


@dataclass(frozen=True)
class Limits:
    """Of one listener: connections at most, and seconds: for a whole request, and while idle."""

    connections: int
    keep_alive: int = 5
    patience: float = 5.0


@final
class Listener:
    """One uvicorn server in a thread of its own, on a socket that is bound already."""

    def __init__(
        self,
        name: str,
        app: Any,
        bound: socket.socket,
        limits: Limits,
        certificate: str = "",
        key: str = "",
    ) -> None:
        from uvicorn import Config

        self._socket = bound
        self.places = Places(limits.connections)
        config = Config(
            app,
            http=_impatient(self.places, limits.patience),
            ws=_known_by_its_frames(self.places),
            loop="asyncio",
            lifespan="off",
            log_config=None,  # uvicorn's own would close the handlers of the program we are part of
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=LARGEST,
            ws_ping_interval=None,  # renewals are the heartbeat
            ws_per_message_deflate=False,
            timeout_keep_alive=limits.keep_alive,
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
        self._server: Server = _serving(config, self.places, limits.patience)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve([self._socket]))

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Asks it to end; `close` waits for that."""
        self._server.should_exit = True

    def close(self, timeout: float = 5.0) -> None:
        self.end()
        self._thread.join(timeout)
        self._socket.close()


def bound_port(host: str, port: int, choice: str = "port") -> socket.socket:
    """A TCP socket at `host`, `port` (0: a free one). Raises `ListenError`.

    `choice` is how the caller's user names the port, for the text of the error.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)  # who comes before the loop runs is not turned away
    except OSError as error:
        made.close()
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        mend = f"Choose another {choice}" if taken else "Choose an address of this host"
        raise ListenError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. {mend}."
        ) from None
    return made


def bound_path(path: Path) -> socket.socket:
    """A local socket that only its owner can connect to. Raises `ListenError`."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        made.bind(str(path))
        made.listen(BACKLOG)
        path.chmod(0o600)
    except OSError as error:
        made.close()
        raise ListenError(
            f"cannot listen on {path}: {error.strerror or error}. A local socket's path has at "
            "most about 100 characters."
        ) from None
    return made


def most_files() -> int:
    """How many connections this process may hold, once it may hold as many as it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return 1 << 20 if soft == resource.RLIM_INFINITY else max(soft - SPARE_FILES, SPARE_FILES)


def _serving(config: Any, places: Places, patience: float) -> Any:
    """uvicorn's server, which takes its connections from a `_Door`."""
    from uvicorn import Server

    class Serving(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await self.lifespan.startup()

            def protocol() -> asyncio.Protocol:
                made: asyncio.Protocol = config.http_protocol_class(
                    config=config, server_state=self.server_state, app_state={}
                )
                return made

            doors = [_Door(each, protocol, places, config.ssl, patience) for each in sockets or ()]
            self.servers = doors  # type: ignore[assignment]
            self.started = True

    return Serving(config)


class _Door:
    """Accepts on one socket: a few at a time, each into a place, else leaves them in the queue."""

    def __init__(
        self,
        bound: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        places: Places,
        context: ssl.SSLContext | None,
        patience: float,
    ) -> None:
        self._socket, self._protocol, self._places = bound, protocol, places
        self._context, self._patience = context, patience
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[None]] = set()
        self._open = True
        bound.setblocking(False)
        self._watch()

    def close(self) -> None:
        self._open = False
        self._loop.remove_reader(self._socket.fileno())
        for task in self._entering:
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _watch(self) -> None:
        if self._open:
            self._loop.add_reader(self._socket.fileno(), self._ready)

    def _rest(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._loop.call_later(PAUSE, self._watch)

    def _ready(self) -> None:
        for nth in range(AT_ONCE):
            if nth and self._places.full:
                return  # nobody goes for a connection that may not be there
            if not self._places.room():
                self._rest()
                return
            try:
                made, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file left for it
                self._places.evict()
                self._rest()
                return
            made.setblocking(False)
            self._enter(made, source_of(peer))

    def _enter(self, made: socket.socket, source: str) -> None:
        def drop() -> None:
            task.cancel()

        place = Place(source, self._loop.time(), drop)
        self._places.take(place)
        task = self._loop.create_task(self._made(made, place))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _made(self, made: socket.socket, place: Place) -> None:
        """The handshake, if there is one; from then on the place is the protocol's to leave."""
        protocol: Any = self._protocol()
        protocol.place = place
        within: dict[str, Any] = {}
        if self._context is not None:
            within = {"ssl": self._context, "ssl_handshake_timeout": self._patience}
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, made, **within)
        except BaseException as error:
            made.close()
            self._places.leave(place)
            if not isinstance(error, (OSError, asyncio.CancelledError)):
                raise


def _impatient(places: Places, patience: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol with a place, and a deadline for every whole request."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        place: Place
        said_all = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app_state = {"place": self.place}  # a WebSocket takes it over
            self.place.drop, self.place.waits = transport.abort, self._waits
            self._deadline = self.loop.call_later(patience, self._late)

        def _waits(self) -> bool:
            return self._lacks() or self.flow.write_paused

        def _lacks(self) -> bool:
            """No whole request is here that is not answered yet."""
            return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

        def on_response_complete(self) -> None:
            self.place.since = self.loop.time()
            self._deadline.cancel()
            again = patience + self.timeout_keep_alive
            self._deadline = self.loop.call_later(again, self._late)
            super().on_response_complete()
            if self.said_all and self._lacks():
                self.transport.close()

        def eof_received(self) -> bool:  # type: ignore[override]
            """Whoever has said all, as a shell does with `nc -N`, still hears the answer."""
            self.said_all = not self._lacks()
            # asyncio knows no TLS that is open one way.
            return self.said_all and self.transport.get_extra_info("sslcontext") is None

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._deadline.cancel()
            super().handle_websocket_upgrade(event)

        def connection_lost(self, exc: Exception | None) -> None:
            self._deadline.cancel()
            places.leave(self.place)
            super().connection_lost(exc)

        def _late(self) -> None:
            if self._lacks():
                self.transport.abort()
            else:  # it is being answered; then its next request has as long again
                self._deadline = self.loop.call_later(patience, self._late)

    return Impatient


def _known_by_its_frames(places: Places) -> type[asyncio.Protocol]:
    """uvicorn's WebSocket, whose place waits until the application says who is there: that sets
    `scope["state"]["place"].known`."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class Known(WebSocketsSansIOProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._place: Place = self.app_state["place"]
            self._place.waits = lambda: not (self._place.known and self.writable.is_set())

        def connection_lost(self, exc: Exception | None) -> None:
            places.leave(self._place)
            super().connection_lost(exc)

    return Known
