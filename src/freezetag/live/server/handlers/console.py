"""The console: its pages and files, forms that work without a script, the states and their news."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from freezetag.live.authority.authority import ResetError
from freezetag.live.authority.tokens import RIGHTS
from freezetag.live.console import answers
from freezetag.live.console.markup import Html
from freezetag.live.console.page import console
from freezetag.live.console.reset import reset
from freezetag.live.server.requests import HEADERS, Rejected, as_json, fields_of, holder
from freezetag.live.server.statements import signed_in_browser
from freezetag.live.server.status import as_text, status
from freezetag.live.signed.presses import Clearance

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from freezetag.live.server.service import Service

BEAT, PAUSE = 1.0, 0.1
"""Seconds between events: at most, and at least, so that a fleet that stops is not slowed."""
WATCHERS = 64
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
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
        keys = service.authority.facts.browser_keys.known()
        return page(reset(status(service), draft, warning, keys, service.origin))


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
    with service.lock:
        made = signed_in_browser(service.authority.facts, fields)
    if made is not None:
        clearance = Clearance.from_json({"signatures": made, "text": fields.get("text")})
        return page(answers.signed(await service.clear(clearance)))
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


def pressed(
    service: Service, scopes: Sequence[str], names: Sequence[str], told: Mapping[str, Any]
) -> Response:
    """The page after a press by form."""
    with service.lock:
        last = service.bound
    return page(answers.pressed(told, scopes, names, last))


def refused(said: str, code: int) -> Response:
    """The page after a form that was not met."""
    return page(answers.refused(said, code), code)


def rights(service: Service, request: Request) -> dict[str, str]:
    """Which rights this browser holds, each with its scope."""
    held = {right: service.sessions.check(request, right) for right in RIGHTS}
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


async def static(service: Service, request: Request) -> Response:
    """Stylesheet and script of the console."""
    from importlib.resources import files

    from starlette.responses import Response

    name = str(request.path_params["name"])
    kind = TYPES.get(name.rpartition(".")[2])
    file = files("freezetag.live.console").joinpath(name)
    if kind is None or "/" in name or "\\" in name or not file.is_file():
        raise Rejected(404, "there is no such file.")
    return Response(file.read_bytes(), media_type=kind, headers=HEADERS)


async def show_status(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    return as_json(await asyncio.to_thread(status, service))


async def events(service: Service, request: Request) -> Response:
    """The picture, whenever it changes and once a second: server-sent events called `status`."""
    from starlette.responses import StreamingResponse

    holder(service, request, {}, "status")
    if service.watchers >= WATCHERS:
        raise Rejected(503, f"{WATCHERS} consoles are watching already.")
    return StreamingResponse(_stream(service), media_type="text/event-stream", headers=HEADERS)


async def _stream(service: Service) -> AsyncIterator[str]:
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def heard() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(news.set)

    service.changed.append(heard)
    service.watchers += 1
    try:
        yield "retry: 500\n\n"
        while not service.closing:
            yield f"event: status\ndata: {await asyncio.to_thread(as_text, service)}\n\n"
            await asyncio.sleep(PAUSE)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT - PAUSE):
                    await news.wait()
            news.clear()
    finally:
        service.watchers -= 1
        service.changed.remove(heard)


ROUTES = (
    ("GET", "/", show),
    ("GET", "/reset", show_reset),
    ("POST", "/reset", hand_in),
    ("POST", "/reset/clearance.json", draft_file),
    ("GET", "/sign-in", sign_in),
    ("GET", "/static/{name}", static),
    ("GET", "/events", events),
    ("GET", "/api/status", show_status),
)
