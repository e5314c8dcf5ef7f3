"""A server: one service, its watch, and three addresses (requests, gates, presses).

Each has a local socket too, so that a host without a network can still press. A local socket is a
listener apart, with places of its own and without TLS: only the folder's owner can connect to it,
so no crowd and no certificate that ends keeps him from his button.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace
from typing import Any, final

from freezetag.live.authority.home import Home, Settings, option
from freezetag.live.authority.sqlite_store import Connect, connected
from freezetag.live.gate.clock import Clock
from freezetag.live.server.app import application
from freezetag.live.server.certificate import check_pair
from freezetag.live.server.listener import (
    Limits,
    Listener,
    ListenError,
    bound_path,
    bound_port,
    most_files,
)
from freezetag.live.server.notices import Notices
from freezetag.live.server.service import Service
from freezetag.live.server.watch import Watch

PATHS = {"main": (), "gates": ("/api/frame",), "press": ("/press",)}
LIMITS = {
    "main": Limits(256),
    "gates": Limits(20_000, keep_alive=30),
    "press": Limits(256, patience=2.0),  # a press is a few bytes
}
PORTS = {"main": "port", "gates": "gate_port", "press": "press_port"}


def check(settings: Settings) -> None:
    """Raises `UserError` where no server could run with these: a port in use, a wrong key."""
    check_pair(settings.certificate, settings.key)
    with contextlib.ExitStack() as bound:
        for name in PORTS:
            bound.enter_context(_bound(settings, name))


@final
class Server:
    """Runs from `start` to `close`. Raises `HomeError` if another server has the folder."""

    def __init__(
        self, home: Home, *, clock: Clock | None = None, connect: Connect = connected
    ) -> None:
        settings = home.settings
        check_pair(settings.certificate, settings.key)  # refused here, and not in a thread
        self.home = home
        self._lock = home.lock()
        self._sockets: list[socket.socket] = []
        try:
            home.issue_missing()
            ports = {name: self._keep(_bound(settings, name)) for name in PORTS}
            home.keep()  # what cannot be served is not kept
            self.addresses = {name: self._address(tcp) for name, tcp in ports.items()}
            told = {name: [address] for name, address in self.addresses.items()}
            local: dict[str, socket.socket] = {}
            for name in PATHS:
                # A path can be too long for a local socket; then there is none.
                with contextlib.suppress(ListenError):
                    path = (home.path / f"{name}.sock").absolute()
                    local[name] = self._keep(bound_path(path))
                    told[name].insert(0, f"unix:{path}")
            self.service = Service(home, clock=clock, connect=connect)
            self.service.folder_lock = self._lock
        except BaseException:
            self._release()
            raise
        if why := home.listening(told):
            self.service.authority.alarms.append(why)
        self.service.origin = self.service.origin or self._local_origin()
        self.service.gate_addresses = [*told["gates"], self.addresses["main"]]
        self._watch = Watch(self.service)
        self._notices = self.service.notices = Notices(self.service, home)
        limits, apps = _limits(), {name: application(self.service, PATHS[name]) for name in PATHS}
        pair = settings.certificate, settings.key
        self._listeners = [
            *(
                Listener(name, apps[name], each, limits[name], *pair)
                for name, each in ports.items()
            ),
            *(Listener(f"{n} local", apps[n], each, limits[n]) for n, each in local.items()),
        ]

    def start(self) -> Server:
        """Listens, locked; grants once the ledger's tail is read and verified."""
        for listener in self._listeners:
            listener.start()
        self.service.open()
        self._watch.start()
        self._notices.start()
        return self

    def alive(self) -> bool:
        """Whether decisions are still made: their lock was to be had within a second."""
        if not self.service.lock.acquire(timeout=1.0):
            return False
        self.service.lock.release()
        return True

    def close(self) -> None:
        self.service.closing = True
        for listener in self._listeners:
            listener.end()
        self._watch.close()
        for listener in self._listeners:
            listener.close()
        self.service.close()
        self._notices.close()
        self._release()

    def _keep(self, made: socket.socket) -> socket.socket:
        self._sockets.append(made)
        return made

    def _address(self, made: socket.socket) -> str:
        host, port = made.getsockname()[:2]
        scheme = "https" if self.home.settings.certificate else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def _local_origin(self) -> str:
        """The console as a browser of this host reaches it by name; "" where others are served."""
        if self.home.settings.host not in ("127.0.0.1", "::1", "localhost"):
            return ""
        scheme, _, rest = self.addresses["main"].partition("://")
        return f"{scheme}://localhost:{rest.rpartition(':')[2]}"

    def _release(self) -> None:
        for each in self._sockets:
            each.close()
        self._lock.close()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.close()


def _limits() -> dict[str, Limits]:
    """`LIMITS`, as far as there are files for them: the gates' crowd leaves the button its own."""
    files = most_files()
    others = sum(limits.connections for name, limits in LIMITS.items() if name != "gates")
    share = min(1.0, files / (4 * others))
    left = (files - int(2 * others * share)) // 2
    few = {name: max(8, int(limits.connections * share)) for name, limits in LIMITS.items()}
    few["gates"] = min(LIMITS["gates"].connections, left)
    return {name: replace(limits, connections=few[name]) for name, limits in LIMITS.items()}


def _bound(settings: Settings, name: str) -> socket.socket:
    field = PORTS[name]
    return bound_port(settings.host, getattr(settings, field), option(field))
