"""What a browser keeps: an id for one server, one address and half a day, and never a token."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from freezetag.live.authority.tokens import TokenBook, issue
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.server.sessions import LASTS, MOST, Sessions, cookie


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
