"""What a browser keeps: an id for one server, one address and half a day, and never a token."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from freezetag.live.authority.tokens import RIGHTS, TokenBook, issue
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.server.sessions import (
    LASTS,
    LASTS_PLAIN,
    MOST,
    Sessions,
    cookie,
    why_not,
)


def asking(cookies: str = "", client: str = "10.0.0.7", port: int = 8443, **more: Any) -> Request:
    headers = [(b"host", b"h"), (b"cookie", cookies.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "https"}
    return Request(
        {**scope, "headers": headers, "client": (client, 1), "server": ("h", port)} | more
    )


def test_an_id_is_good_here_only() -> None:
    clock, (text, token) = SteppedClock(), issue("press", "fleet", "ann")
    book = TokenBook([token])
    sessions = Sessions(book, clock)
    name, id = cookie(asking(), "press"), sessions.begin(text, "10.0.0.7")
    assert name == "__Host-freezetag_press_8443"
    assert cookie(asking(scheme="http", port=80), "press") == "freezetag_press_80"
    sent = f"{name}={id}"
    assert sessions.check(asking(sent), "press") == token
    assert sessions.check(asking(sent), "start") is None
    assert sessions.check(asking(sent, client="10.0.0.8"), "press") is None
    assert sessions.check(asking(sent, port=8444), "press") is None
    assert sessions.check(asking(f"{name}={text}"), "press") is None
    assert (
        Sessions(book, clock).check(asking(sent), "press") is None
    )  # another server, or a restart
    assert book.check(id, "press") is None
    book.revoke(token.digest)
    assert sessions.check(asking(sent), "press") is None


@pytest.mark.parametrize("end", ["half a day", "a crowd"])
def test_an_id_ends(end: str) -> None:
    clock, (text, token) = SteppedClock(), issue("press", "fleet", "ann")
    sessions = Sessions(TokenBook([token]), clock)
    sent = asking(f"{cookie(asking(), 'press')}={sessions.begin(text, '10.0.0.7')}")
    assert sessions.check(sent, "press") == token
    if end == "a crowd":
        for _ in range(MOST):
            sessions.begin(text, "10.0.0.9")
    else:
        clock.advance(LASTS + 1)
    assert sessions.check(sent, "press") is None


PLAIN = {"scheme": "http", "port": 80}


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("where", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "", "10.0.0.7", "odd"])
def test_without_tls_a_stolen_id_frees_nothing_and_is_of_this_host(right: str, where: str) -> None:
    """Whoever serves another port of this host is sent the cookie, and comes from where we do."""
    clock, (text, token) = SteppedClock(), issue(right, "fleet", "ann")
    sessions = Sessions(TokenBook([token]), clock)
    name = f"freezetag_{right}_80"
    client = (where, 1) if where else None
    sent = asking(f"{name}={sessions.begin(text, where, True)}", **PLAIN)
    sent.scope["client"] = client
    here = where in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "")
    good = here and right in ("press", "status")
    assert (sessions.check(sent, right) == token) is good
    assert bool(why_not(right, where)) is not good
    # An id that was given over TLS is worth nothing without it, nor the other way round.
    over = asking(f"{name}={sessions.begin(text, where)}", **PLAIN)
    over.scope["client"] = client
    assert sessions.check(over, right) is None
    turned = asking(f"__Host-freezetag_{right}_8443={sessions.begin(text, '10.0.0.7', True)}")
    assert sessions.check(turned, right) is None
    clock.advance(LASTS_PLAIN + 1)
    assert sessions.check(sent, right) is None
