"""What in a server's HTTP answer leads past the guard: redirects, addresses, other protocols. Pure.

A client that follows such a lead speaks with the server itself from then on, and nothing of ours
sees it. So no answer passes with one. A redirect is followed inside the guard, once, when it stays
at the server and only the path changes (a slash too many or too few); what else it names, people
have to look at and give as the guard's upstream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

Headers = Sequence[tuple[bytes, bytes]]

HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade http2-settings host content-length".split()
)
"""Of one connection only; a change of protocol is asked for and granted by these."""
ELSEWHERE = frozenset(
    b"location content-location link refresh alt-svc alt-used uri content-base sourcemap "
    b"x-sourcemap x-accel-redirect".split()
)
"""Response headers that send a client somewhere; none of them is needed to speak MCP."""
_ADDRESS = re.compile(rb"(?i)\b[a-z][a-z0-9+.-]*://[^\s\"'<>,;]*|^\s*//[^\s]*")
_PLAIN = re.compile(r"[!-~]+")


class Elsewhere(Exception):
    """The server leads away from itself; the text says where, and what to do."""


class Origin(NamedTuple):
    """Where a server is: `scheme`, `host` and `port`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """That of `url`; None if it is not an http(s) address, or has a user in it."""
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (KeyError, ValueError):
            return None
        if not parts.hostname or "@" in parts.netloc:
            return None
        return cls(parts.scheme, parts.hostname, port)


def redirects(status: int) -> bool:
    """All of 3xx but "not modified": what is not followed is not passed on either."""
    return 300 <= status < 400 and status != 304


def followed(asked: str, method: str, status: int, headers: Headers) -> bytes:
    """The target to ask instead of the address `asked`. Raises `Elsewhere`."""
    places = [value for name, value in headers if name.lower() == b"location"]
    if len(places) != 1:
        raise Elsewhere(f"the server answers {status} without one place to go to.")
    text = places[0].decode("latin-1")
    try:
        place = urljoin(asked, text) if _PLAIN.fullmatch(text) else ""
        there, here = urlsplit(place), urlsplit(asked)
    except ValueError:
        there, here, place = urlsplit(""), urlsplit(asked), ""
    origin = Origin.of(place)
    if origin is None:
        raise Elsewhere(f"the server redirects to {_shown(text)}, which is not an address to ask.")
    known = urlunsplit((there.scheme, there.netloc, there.path, "", ""))
    if origin != Origin.of(asked):
        raise Elsewhere(
            f"the server redirects to {_shown(known)}. If that is it, start the guard with "
            f"--upstream {_shown(known)}"
        )
    if there.query != here.query:
        raise Elsewhere("the server redirects to another query, which is not followed.")
    if status == 303 and method != "GET":
        raise Elsewhere("the server answers a message with 303, a page to look at.")
    return (there.path or "/").encode() + (b"?" + there.query.encode() if there.query else b"")


def passed(
    headers: Headers, upstream: str, own: str, say: Callable[[str], None]
) -> list[tuple[bytes, bytes]]:
    """The response headers without leads; `say` gets a line for each that was taken out.

    Where a challenge to log in names the server's own address, it names ours instead. Raises
    `Elsewhere` for a session or protocol header that is an address.
    """
    kept = []
    named = _nominated(headers)
    for name, value in headers:
        lower = name.lower()
        if lower in HOP or lower in named:
            continue
        if lower in ELSEWHERE:
            say(f"the server's header {_text(name)} was not passed on: it leads past the guard")
            continue
        if lower == b"www-authenticate":
            value = _at_home(value, upstream, own)
            leads = [each for each in _ADDRESS.findall(value) if not _is_at(each, own)]
        else:
            leads = [] if lower.startswith(b"access-control-") else _ADDRESS.findall(value)
        if leads and lower.startswith(b"mcp-"):
            raise Elsewhere(f"the server's header {_text(name)} is an address, and no name.")
        if leads:
            say(f"the server's header {_text(name)} was not passed on: it names an address")
            continue
        kept.append((name, value))
    return kept


def asked(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The request headers that go on to the server: not those that ask it to compress its answer,
    whose events could not be looked at."""
    held_back = HOP | _nominated(headers) | {b"accept-encoding"}
    return [(name, value) for name, value in headers if name.lower() not in held_back]


def _nominated(headers: Headers) -> set[bytes]:
    """Names that a Connection header calls its own."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return {part.strip().lower() for value in values for part in value.split(b",")}


def _at_home(value: bytes, upstream: str, own: str) -> bytes:
    """`value` with our own origin wherever it names the server's."""

    def ours(found: re.Match[bytes]) -> bytes:
        parts = urlsplit(found[0].decode("latin-1"))
        if not _is_at(found[0], upstream):
            return found[0]
        return (own + urlunsplit(("", "", parts.path, parts.query, ""))).encode("latin-1")

    return _ADDRESS.sub(ours, value)


def _is_at(address: bytes, url: str) -> bool:
    origin = Origin.of(address.decode("latin-1"))
    return origin is not None and origin == Origin.of(url)


def _text(name: bytes) -> str:
    return name.decode("latin-1")


def _shown(text: str) -> str:
    """Fit for one line of a terminal, without a user's name and password."""
    text = re.sub(r"[^/]*@", "", text)
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:300]
