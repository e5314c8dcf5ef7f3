"""A listener: a thread with its own loop, connections and limits, so that none starves another.

A connection that sends no whole head of a request in time is closed, and one too many takes the
place of the oldest that asks nothing: a crowd cannot keep a press out.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from freezetag.core.errors import UserError
from freezetag.live.signed.frames import LARGEST

if TYPE_CHECKING:
    from uvicorn import Server

PATIENCE = 5.0
"""Seconds for the head of a request."""
BACKLOG = 2048


class ListenError(UserError):
    """An address that cannot be listened on; the text says which and why."""


@dataclass(frozen=True)
class Limits:
    """Of one listener: connections at most, and how long an idle one is kept."""

    connections: int
    keep_alive: int = 5


@final
class Listener:
    """One uvicorn server in a thread of its own, on sockets that are bound already."""

    def __init__(
        self,
        name: str,
        app: Any,
        sockets: Sequence[socket.socket],
        limits: Limits,
        certificate: str = "",
        key: str = "",
    ) -> None:
        from uvicorn import Config, Server

        self._sockets = list(sockets)
        config = Config(
            app,
            http=_impatient(limits.connections),
            ws="websockets-sansio",
            loop="asyncio",
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            ws_max_size=LARGEST,
            ws_ping_interval=None,  # renewals are the heartbeat
            ws_per_message_deflate=False,
            timeout_keep_alive=limits.keep_alive,
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
        self._server: Server = Server(config)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve(self._sockets))

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Asks it to end; `close` waits for that."""
        self._server.should_exit = True

    def close(self, timeout: float = 5.0) -> None:
        self.end()
        self._thread.join(timeout)
        for each in self._sockets:
            each.close()


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


def _impatient(most: int) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, with a deadline for the head and room for whoever comes."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            if len(self.connections) >= most:
                idle = (c for c in list(self.connections) if isinstance(c, Impatient) and c.idle)
                oldest = min(idle, key=lambda c: c.since, default=None)
                if oldest is None:
                    transport.abort()
                    return
                oldest.transport.abort()
                self.connections.discard(oldest)
            super().connection_made(transport)
            self.since = self.loop.time()
            self._deadline = self.loop.call_later(PATIENCE, self._late)

        @property
        def idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def connection_lost(self, exc: Exception | None) -> None:
            if hasattr(self, "_deadline"):
                self._deadline.cancel()
                super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport is not None:
                super().data_received(data)

        def _late(self) -> None:
            if self.headers is None:
                self.transport.abort()

    return Impatient
