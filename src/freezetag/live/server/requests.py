"""What every request goes through: size, time, who asks, from where; headers of every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from freezetag.core.errors import UserError
from freezetag.live.authority.tokens import RIGHTS
from freezetag.live.signed.frames import LARGEST

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from freezetag.live.authority.tokens import Token
    from freezetag.live.server.service import Service

BODY_WITHIN = 5.0
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Rejected(UserError):
    """A request that is not met; `status` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def body_of(request: Request) -> bytes:
    """At most 64 KiB, within five seconds. Raises `Rejected`."""
    from starlette.requests import ClientDisconnect

    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > LARGEST:
        raise Rejected(413, f"a body has at most {LARGEST} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise Rejected(413, f"a body has at most {LARGEST} bytes.")
    except ClientDisconnect:
        raise Rejected(400, "the connection ended before the body did.") from None
    except TimeoutError:
        raise Rejected(408, f"the body did not come within {BODY_WITHIN:g} s.") from None
    return bytes(body)


async def fields_of(request: Request) -> dict[str, Any]:
    """A JSON object or a form, by its content type, each field once. Raises `Rejected`."""
    pairs = await pairs_of(request)
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Rejected(400, f"a field is given twice: {', '.join(twice):.200}.")
    return fields


async def pairs_of(request: Request) -> list[tuple[str, Any]]:
    """What `fields_of` gives, with what is given twice. Raises `Rejected`."""
    body = await body_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
        fields = json.loads(body or b"{}", object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Rejected(400, "the body is neither JSON nor a form.") from None
    if not isinstance(fields, _Pairs):
        raise Rejected(400, "the body is JSON, but no object.")
    return fields.pairs


class _Pairs(dict[str, Any]):
    """A JSON object that remembers what was written twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def holder(
    service: Service,
    request: Request,
    fields: dict[str, Any],
    right: str,
    scope: str | None = None,
    groups: Iterable[str] = (),
) -> Token:
    """The token that allows this: from the header, the body, or a cookie. Raises `Rejected`.

    A cookie is sent by the browser and not by a person, so with it a change must come from our own
    pages: its Origin is our Host.
    """
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    given = told.strip() if scheme.lower() == "bearer" else fields.get("token")
    book = service.home.tokens
    if given:
        token = book.check(given, right, scope, groups)
    else:
        token = service.sessions.check(request, right, scope, groups)
        if token is not None and request.method != "GET":
            require_own_origin(request)
    if token is None:
        foreign = given and not any(book.check(given, each) for each in RIGHTS)
        why = "the token is not known here; this" if foreign else "this"
        reach = f" of {scope}" if scope else ""
        raise Rejected(401, f"{why} takes a token with the right {right!r}{reach}.")
    return token


def require_own_origin(request: Request) -> None:
    """Raises `Rejected` for a form that another site made."""
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    if not host or origin not in (f"http://{host}", f"https://{host}"):
        raise Rejected(403, "this request does not come from this console's own page.")


def flag(value: Any) -> bool:
    """Whether a field says yes; forms say it in words, and whatever is neither says no."""
    return value is True or str(value).strip().lower() in ("true", "1", "yes", "on")


def from_form(request: Request) -> bool:
    """Whether a browser's plain form asks, which wants a page for an answer."""
    return "text/html" in request.headers.get("accept", "")


def number(request: Request, name: str, default: int) -> int:
    """A number of the query. Raises `Rejected`."""
    value = request.query_params.get(name, str(default))
    if not value.isdecimal() or len(value) > 15:
        raise Rejected(400, f"{name} must be a number from 0, got {value[:50]!r}.")
    return int(value)


def as_json(value: Any, code: int = 200) -> Response:
    """An answer for a program."""
    from starlette.responses import JSONResponse

    return JSONResponse(value, code, headers=HEADERS)


def back() -> Response:
    """An answer for a browser's form: look at the console."""
    from starlette.responses import RedirectResponse

    return RedirectResponse("/", 303, headers=HEADERS)
