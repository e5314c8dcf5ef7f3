"""What a browser keeps in place of a token: an id that this server alone knows, for half a day.

A browser sends a cookie to every port of a host, so whoever serves another port there sees it. Such
an id is worth nothing as a token, nor on another server, after a restart, or from elsewhere than
where it was given out.

Caveat: without TLS, who serves another port of the host and reaches us from the address of the
browser (a browser on that very host, say) can still use the id. Over TLS no plain port gets it.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from starlette.requests import Request

    from freezetag.live.authority.tokens import Token, TokenBook

LASTS = 12 * 3600
"""Seconds that a browser is signed in."""
MOST = 1000


class _Session(NamedTuple):
    token: str
    address: str
    until: float


@final
class Sessions:
    """The browsers that are signed in; the oldest are forgotten first. From any thread."""

    def __init__(self, book: TokenBook, clock: Callable[[], float]) -> None:
        self._book, self._clock = book, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Session] = OrderedDict()

    def begin(self, token: str, address: str) -> str:
        """The id for a token that was checked, good from this address of the browser's."""
        id = secrets.token_urlsafe(32)
        with self._lock:
            self._known[id] = _Session(token, address, self._clock() + LASTS)
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
        if self._clock() > session.until:
            return None
        return self._book.check(session.token, right, scope, groups)


def address(request: Request) -> str:
    """Where the browser is; "" over a local socket."""
    return request.client.host if request.client else ""


def cookie(request: Request, right: str) -> str:
    """Under which name a browser keeps the id for a right: one of this port, and bound to TLS."""
    port = (request.scope.get("server") or ("", None))[1] or 0
    prefix = "__Host-" if request.url.scheme == "https" else ""
    return f"{prefix}freezetag_{right}_{port}"
