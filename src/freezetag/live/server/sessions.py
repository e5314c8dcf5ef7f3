"""What a browser keeps in place of a token: an id that this server alone knows, for half a day.

A browser sends a cookie to every port of a host, so whoever serves another port there sees it. Such
an id is worth nothing as a token, nor on another server, after a restart, or from elsewhere than
where it was given out.

Over TLS no plain port gets it. Without TLS whoever serves another port of the host does, and can
use it from the browser's own address. So without TLS an id is given to browsers of this very host
alone, for an hour, and for what reads and what stops: whoever has it can free nothing.

Caveat: what it reads, and that it presses, is what such a thief gains.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from starlette.requests import Request

    from freezetag.live.authority.tokens import Token, TokenBook

LASTS, LASTS_PLAIN = 12 * 3600, 3600
"""Seconds that a browser is signed in: over TLS, and without."""
PLAIN = ("press", "status")
"""Rights that a browser may keep without TLS: a press frees nothing."""
MOST = 1000


class _Session(NamedTuple):
    token: str
    address: str
    until: float
    plain: bool


@final
class Sessions:
    """The browsers that are signed in; the oldest are forgotten first. From any thread."""

    def __init__(self, book: TokenBook, clock: Callable[[], float]) -> None:
        self._book, self._clock = book, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Session] = OrderedDict()

    def begin(self, token: str, address: str, plain: bool = False) -> str:
        """The id for a token that was checked, good from this address of the browser's; `plain`:
        given without TLS."""
        id = secrets.token_urlsafe(32)
        until = self._clock() + (LASTS_PLAIN if plain else LASTS)
        with self._lock:
            self._known[id] = _Session(token, address, until, plain)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return id

    def check(
        self,
        request: Request,
        right: str,
        scope: str | None = None,
        groups: Iterable[str] = (),
    ) -> Token | None:
        """The token behind the cookie for a right, if that is still in force."""
        id: Any = request.cookies.get(cookie(request, right))
        with self._lock:
            session = self._known.get(id)
        if session is None or session.address != address(request):
            return None
        plain = request.url.scheme != "https"
        if session.plain != plain or (plain and why_not(right, address(request))):
            return None
        if self._clock() > session.until:
            return None
        return self._book.check(session.token, right, scope, groups)


def why_not(right: str, where: str) -> str:
    """Why a browser at `where` may not keep a token of this right without TLS; "" if it may."""
    if not _is_here(where):
        return (
            "without TLS a browser elsewhere keeps no token here: whoever listens on the way, or "
            "serves another port of this host, would have it. Serve with --certificate and --key."
        )
    if right not in PLAIN:
        return (
            f"without TLS a browser keeps no token with the right to {right}: it would be sent to "
            "every port of this host. Give the token where it is needed, or serve with "
            "--certificate and --key."
        )
    return ""


def _is_here(where: str) -> bool:
    """Whether an address is this host's own; a local socket's ("") is."""
    try:
        told = ipaddress.ip_address(where or "127.0.0.1")
    except ValueError:
        return False
    mapped = getattr(told, "ipv4_mapped", None)
    return bool((mapped or told).is_loopback)


def address(request: Request) -> str:
    """Where the browser is; "" over a local socket."""
    return request.client.host if request.client else ""


def cookie(request: Request, right: str) -> str:
    """Under which name a browser keeps the id for a right: one of this port, and bound to TLS."""
    port = (request.scope.get("server") or ("", None))[1] or 0
    prefix = "__Host-" if request.url.scheme == "https" else ""
    return f"{prefix}freezetag_{right}_{port}"
