"""What the console adds to the server's routes: pages, and forms that work without a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from freezetag.live.authority import ResetError
from freezetag.live.console import answers
from freezetag.live.console.markup import Html
from freezetag.live.console.page import console
from freezetag.live.console.reset import reset
from freezetag.live.lease import bound
from freezetag.live.presses import Clearance
from freezetag.live.server.asking import HEADERS, Rejected, cookie, fields_of, holder
from freezetag.live.server.status import status
from freezetag.live.tokens import RIGHTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from freezetag.live.server.service import Service

EVERY = 60
PAGE = HEADERS | {"Referrer-Policy": "same-origin"}
"""With `no-referrer` a browser sends `Origin: null` with a form, and no cookie would count."""


async def show(service: Service, request: Request) -> Response:
    """The console; without the right to see states, the button alone."""
    every = request.query_params.get("every", "0")
    seconds = min(int(every), EVERY) if every.isdecimal() and len(every) < 4 else 0

    def render() -> Html:
        return console(_seen(service, request), rights(service, request), service.now(), seconds)

    return page(await asyncio.to_thread(render))


async def show_reset(service: Service, request: Request) -> Response:
    """What would be cleared, and the text to sign."""
    holder(service, request, {}, "status")
    warning = await asyncio.to_thread(lambda: service.home.warning)
    with service.lock:
        try:
            draft = service.resets.draft("", "fresh" in request.query_params)
        except ResetError:
            draft = None
        return page(reset(status(service), draft, warning))


async def draft_file(service: Service, request: Request) -> Response:
    """The text of the reset page as a file to sign."""
    fields = await fields_of(request)
    holder(service, request, fields, "status")
    text = Clearance.from_json({"text": fields.get("text"), "signatures": {}})
    attached = {"Content-Disposition": 'attachment; filename="clearance.json"'}
    from starlette.responses import JSONResponse

    return JSONResponse(text.to_json(), headers=PAGE | attached)


async def hand_in(service: Service, request: Request) -> Response:
    """Signatures from the form. They are what allows this; no token does."""
    fields = await fields_of(request)
    given = [(name, fields[name]) for name in sorted(fields) if name.startswith("signature-")]
    given = [(name, text) for name, text in given if str(text).strip()]
    if not given:
        raise Rejected(400, "no signed file was put in. Sign the text, then paste or choose it.")
    clearances = [_clearance(name, text) for name, text in given]
    told: dict[str, Any] = {}
    for clearance in clearances:
        told = await service.clear(clearance)
    return page(answers.signed(told))


async def sign_in(service: Service, request: Request) -> Response:
    return page(answers.signing_in(rights(service, request)))


def pressed(service: Service, scope: str, told: Mapping[str, Any]) -> Response:
    """The page after a press by form."""
    names = service.covered(scope)
    with service.lock:
        last = bound(service.authority.longest())
    return page(answers.pressed(told, scope, names, last))


def refused(said: str, code: int) -> Response:
    """The page after a form that was not met."""
    return page(answers.refused(said, code), code)


def rights(service: Service, request: Request) -> dict[str, str]:
    """Which rights this browser holds, each with its scope."""
    book = service.home.tokens
    held = {right: book.check(request.cookies.get(cookie(right)), right) for right in RIGHTS}
    return {right: token.scope for right, token in held.items() if token is not None}


def page(content: Html, code: int = 200) -> Response:
    from starlette.responses import HTMLResponse

    return HTMLResponse(content, code, headers=PAGE)


def _seen(service: Service, request: Request) -> dict[str, Any] | None:
    try:
        holder(service, request, {}, "status")
    except Rejected:
        return None
    with service.lock:
        return status(service) | {"root": service.tree.root().hex()}


def _clearance(field: str, text: Any) -> Clearance:
    try:
        return Clearance.from_json(json.loads(text))
    except (ValueError, RecursionError):
        number = field.rpartition("-")[2]
        raise Rejected(400, f"signed file {number} is not what `freezetag reset` writes.") from None


ROUTES = (
    ("GET", "/", show),
    ("GET", "/reset", show_reset),
    ("POST", "/reset", hand_in),
    ("POST", "/reset/clearance.json", draft_file),
    ("GET", "/sign-in", sign_in),
)
