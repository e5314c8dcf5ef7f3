"""The routes, as a table. A press depends on nothing but its token; a GET changes nothing."""

from __future__ import annotations

import asyncio
import base64
import functools
import html
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from freezetag.core.errors import RunError, UserError
from freezetag.live.presses import Clearance, StateError
from freezetag.live.server.asking import (
    HEADERS,
    Rejected,
    body_of,
    cookie,
    fields_of,
    from_form,
    holder,
    require_own_origin,
)
from freezetag.live.server.service import Service
from freezetag.live.server.status import as_text, status
from freezetag.live.server.wire import Unknown
from freezetag.live.tokens import RIGHTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

BEAT = 1.0
WATCHERS = 64
EXPORT = 10_000
Handler = Callable[[Service, "Request"], Awaitable["Response"]]


async def press(service: Service, request: Request) -> Response:
    """One gesture: whoever holds the token stops its scope."""
    fields = await fields_of(request)
    scope = str(fields.get("scope") or "fleet")
    groups: frozenset[str] = frozenset()
    if scope.startswith("agent:"):
        known = service.authority.facts.agents.get(scope.partition(":")[2])
        groups = known.groups if known else groups
    token = holder(service, request, fields, "press", scope, groups)
    if fields.get("dry_run"):
        names = service.covered(scope)
        return _json({"id": "", "state": "dry run", "agents": len(names), "names": names})
    pressed = service.press(
        scope,
        token.holder,
        fields.get("reason", ""),
        _category(fields.get("category")),
        fields.get("id"),
    )
    told = await service.answer(pressed)
    if not from_form(request):
        return _json(told)
    said = f"Pressed: {told['agents']} agents. State: {told['state']}."
    return _page(said, "Whether each has stopped is on the console.")


async def dry_run(service: Service, request: Request) -> Response:
    """What a press would stop."""
    holder(service, request, {}, "status")
    scope = request.query_params.get("scope", "fleet")
    return _json({"scope": scope, "agents": service.covered(scope)})


async def login(service: Service, request: Request) -> Response:
    """Keeps a token in the browser, for the pages that need its right."""
    fields = await fields_of(request)
    require_own_origin(request)
    for right in RIGHTS:
        if service.home.tokens.check(fields.get("token"), right):
            answer = _page("This browser holds the token now.", "", location="/")
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


async def show_status(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    return _json(await asyncio.to_thread(status, service))


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
            try:
                async with asyncio.timeout(BEAT):
                    await news.wait()
                await asyncio.sleep(0.02)  # a burst is one event
            except TimeoutError:
                pass
            news.clear()
    finally:
        service.watchers -= 1
        service.changed.remove(heard)


async def present(service: Service, request: Request) -> Response:
    """A person is here: agents with a limit of `presence` may go on."""
    holder(service, request, await fields_of(request), "status")
    service.present()
    return _json({"present": True})


async def draft(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    with service.lock:
        query = request.query_params
        return _json(service.resets.draft(query.get("scope", ""), "fresh" in query))


async def clear(service: Service, request: Request) -> Response:
    """Signatures are what allows this; no token does."""
    fields = await fields_of(request)
    service.present()
    return _json(await service.clear(Clearance.from_json(fields)))


async def start(service: Service, request: Request) -> Response:
    fields = await fields_of(request)
    agent = str(fields.get("agent", ""))
    known = service.authority.facts.agents.get(agent)
    groups = known.groups if known else ()
    token = holder(service, request, fields, "start", f"agent:{agent}", groups)
    who = str(fields.get("who") or token.holder)[:200]
    await service.commit(lambda: service.authority.start(agent, who))
    return _json({"agent": agent, "started": True, "who": who})


async def enrol(service: Service, request: Request) -> Response:
    """Takes an agent up; the answer is what its gate has to hold, and is secret."""
    fields = await fields_of(request)
    holder(service, request, fields, "admin")
    try:
        limits = {str(name): float(value) for name, value in dict(fields.get("limits", {})).items()}
        groups, after = map(str, fields.get("groups", ())), map(str, fields.get("depends_on", ()))
    except (TypeError, ValueError) as error:
        raise Rejected(400, f"limits are names and numbers: {error}.") from None
    agent = str(fields.get("agent", ""))
    on_stop, safe = str(fields.get("on_stop", "rest_is_safe")), str(fields.get("safe_state", ""))
    await service.enrol(agent, groups, on_stop, limits, after, safe)
    home = service.home
    return _json(
        {
            "gate": agent,
            "authority": home.settings.name,
            "key": base64.b64encode(service.authority.key_for(agent)).decode(),
            "length": home.settings.length,
            "public": base64.b64encode(home.public).decode(),
            "roster": home.roster.to_json(),
            "addresses": home.addresses("gates"),
        }
    )


async def drill(service: Service, request: Request) -> Response:
    fields = await fields_of(request)
    agent = str(fields.get("agent", ""))
    token = holder(service, request, fields, "drill", f"agent:{agent}")
    within = 4 * service.home.settings.length
    id, took = await service.drill(agent, token.holder, within)
    told = None if took is None else round(took * 1000, 1)
    return _json({"id": id, "agent": agent, "milliseconds": told})


async def frame(service: Service, request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    try:
        answer = await service.frame((await body_of(request)).decode())
    except (Unknown, UnicodeDecodeError):
        raise Rejected(403, "not authentic.") from None
    return PlainTextResponse(answer or "", headers=HEADERS)


async def ledger(service: Service, request: Request) -> Response:
    """Records, one a line; with the last of them the checkpoint, each line after a `#`."""
    from starlette.responses import PlainTextResponse

    holder(service, request, {}, "status")
    first = _number(request, "from", 0)
    lines = [leaf + b"\n" for leaf in await asyncio.to_thread(service.records, first, EXPORT)]
    if len(lines) < EXPORT:
        with service.lock:
            size, note = service.tree.size, service.note
        if size == first + len(lines):
            lines += [f"#{line}\n".encode() for line in note.splitlines()]
    return PlainTextResponse(b"".join(lines), headers=HEADERS)


async def checkpoint(service: Service, request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    holder(service, request, {}, "status")
    return PlainTextResponse(service.note, headers=HEADERS)


async def proof(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    with service.lock:
        new = _number(request, "to", service.tree.size)
        old = _number(request, "from", 0)
        return _json({"from": old, "to": new, "proof": service.tree.consistency(old, new)})


async def page(service: Service, request: Request, name: str) -> Response:
    """A file of the console. Pages hold no state; it comes from `/events`, for which a token is."""
    from importlib.resources import files

    from starlette.responses import Response

    kind = TYPES.get(name.rpartition(".")[2])
    try:
        if kind is None or "/" in name or "\\" in name:
            raise FileNotFoundError
        content = files("freezetag.live.console").joinpath(name).read_bytes()
    except (FileNotFoundError, ModuleNotFoundError, NotADirectoryError):
        raise Rejected(404, "there is no such page.") from None
    return Response(content, media_type=kind, headers=HEADERS)


async def static(service: Service, request: Request) -> Response:
    return await page(service, request, request.path_params["name"])


TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/press", press),
    ("GET", "/", functools.partial(page, name="index.html")),
    ("GET", "/reset", functools.partial(page, name="reset.html")),
    ("GET", "/static/{name}", static),
    ("POST", "/login", login),
    ("GET", "/events", events),
    ("GET", "/api/status", show_status),
    ("GET", "/api/covered", dry_run),
    ("POST", "/api/present", present),
    ("GET", "/api/draft", draft),
    ("POST", "/api/clear", clear),
    ("POST", "/api/start", start),
    ("POST", "/api/enrol", enrol),
    ("POST", "/api/drill", drill),
    ("POST", "/api/frame", frame),
    ("GET", "/api/ledger", ledger),
    ("GET", "/api/checkpoint", checkpoint),
    ("GET", "/api/proof", proof),
)


def application(service: Service, paths: tuple[str, ...] = ()) -> Any:
    """The ASGI application; `paths` limits it to these, for a reserved listener."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    routes = [
        Route(path, _answering(handler, service), methods=[method])
        for method, path, handler in ROUTES
        if not paths or path in paths
    ]
    http = Starlette(routes=routes)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await http(scope, receive, send)
        elif scope["path"] == "/gate" and (not paths or "/api/frame" in paths):
            await service.channels.serve(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    return app


def _answering(handler: Handler, service: Service) -> Callable[[Request], Awaitable[Response]]:
    """The handler as an endpoint: what people can mend is a sentence and a status."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(service, request)
        except Rejected as error:
            code, said = error.status, str(error)
        except RunError as error:
            code, said = 503, str(error)
        except StateError as error:
            code, said = 400, str(error)
        except UserError as error:
            code, said = 409, str(error)
        if from_form(request):
            return _page("This was not done.", said, code)
        return _json({"error": said}, code)

    return endpoint


def _json(value: Any, code: int = 200) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(value, code, headers=HEADERS)


def _page(head: str, text: str, code: int = 200, location: str = "") -> Response:
    from starlette.responses import HTMLResponse

    content = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>freezetag</title>'
        '<link rel="stylesheet" href="/static/console.css">'
        f'<main><h1>{html.escape(head)}</h1><p>{html.escape(text)}</p><p><a href="/">Console</a>'
        "</p></main></html>"
    )
    headers = HEADERS | ({"Location": location} if location else {})
    return HTMLResponse(content, 303 if location else code, headers=headers)


def _category(value: Any) -> Any:
    """0, 1 or 2 from JSON or a form; anything else is for the service to make 0 of."""
    return int(value) if value in ("0", "1", "2") else value


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, str(default))
    if not value.isdecimal() or len(value) > 15:
        raise Rejected(400, f"{name} must be a number from 0, got {value[:50]!r}.")
    return int(value)
