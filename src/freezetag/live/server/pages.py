"""What browsers and pressers ask: the press, the events, signing in, the console's files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from freezetag.live.console import routes as console
from freezetag.live.names import missing, missing_group
from freezetag.live.remote import UNKNOWN
from freezetag.live.server.asking import (
    HEADERS,
    Rejected,
    as_json,
    back,
    cookie,
    fields_of,
    from_form,
    holder,
    require_own_origin,
)
from freezetag.live.server.service import Service
from freezetag.live.server.status import as_text
from freezetag.live.tokens import RIGHTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

BEAT, PAUSE = 1.0, 0.1
"""Seconds between events: at most, and at least, so that a fleet that stops is not slowed."""
WATCHERS = 64
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


async def press(service: Service, request: Request) -> Response:
    """One gesture: whoever holds the token stops its scope.

    Only a presser who says `known` is told of a name that stops nobody, since no agent or group has
    it, instead of pressing it; and not while anything is in doubt, such as which agents there are.
    """
    fields = await fields_of(request)
    scope = str(fields.get("scope") or "fleet")
    kind, _, name = scope.partition(":")
    known = service.authority.facts.agents.get(name)
    groups = known.groups if known and kind == "agent" else frozenset()
    token = holder(service, request, fields, "press", scope, groups)
    named = kind in ("agent", "closure", "group") and name
    if fields.get("known") and named and not service.doubts and not service.covered(scope):
        raise Rejected(UNKNOWN, _missing(service, kind, name, token.scope))
    if fields.get("dry_run"):
        names = service.covered(scope)
        return as_json({"id": "", "state": "dry run", "agents": len(names), "names": names})
    pressed = service.press(
        scope,
        token.holder,
        fields.get("reason", ""),
        _category(fields.get("category")),
        fields.get("id"),
    )
    told = await service.answer(pressed)
    if not from_form(request):
        return as_json(told)
    return console.pressed(service, scope, told)


def _missing(service: Service, kind: str, name: str, reach: str) -> str:
    """That the name is nobody's, with those near it that the presser could press."""
    with service.lock:
        agents = service.authority.facts.agents
        there = service.covered(reach)
        groups = sorted({group for agent in there for group in agents[agent].groups})
    return missing_group(name, groups) if kind == "group" else missing(name, there)


async def dry_run(service: Service, request: Request) -> Response:
    """What a press would stop."""
    holder(service, request, {}, "status")
    scope = request.query_params.get("scope", "fleet")
    return as_json({"scope": scope, "agents": service.covered(scope)})


async def login(service: Service, request: Request) -> Response:
    """Keeps a token in the browser, for the pages that need its right."""
    fields = await fields_of(request)
    require_own_origin(request)
    for right in RIGHTS:
        if service.home.tokens.check(fields.get("token"), right):
            answer = back()
            answer.set_cookie(
                cookie(right),
                str(fields["token"]),
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
                max_age=12 * 3600,
            )
            return answer
    raise Rejected(401, "this token is not known here.")


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


def _category(value: Any) -> Any:
    """0, 1 or 2 from JSON or a form; anything else is for the service to make 0 of."""
    return int(value) if value in ("0", "1", "2") else value
