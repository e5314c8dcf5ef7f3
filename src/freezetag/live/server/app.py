"""The routes, as a table. A press depends on nothing but its token.

A GET changes nothing that is decided, shown or written. One thing is remembered: the text of a
draft (`/api/draft`, `/reset`) may be signed for 15 minutes, so its nonce is kept in memory so long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from freezetag.core.errors import RunError, UserError
from freezetag.live.server.handlers import (
    console,
    gates,
    ledger,
    metrics,
    people,
    press,
    statements,
    tokens,
)
from freezetag.live.server.requests import Rejected, as_json, from_form
from freezetag.live.server.service import Service
from freezetag.live.signed.presses import StateError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Handler = Callable[[Service, "Request"], Awaitable["Response"]]
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/press", press.press),
    ("GET", "/api/covered", press.dry_run),
    *console.ROUTES,
    *statements.ROUTES,
    ("POST", "/login", people.login),
    ("POST", "/api/present", people.present),
    ("GET", "/api/draft", people.draft),
    ("POST", "/api/clear", people.clear),
    ("POST", "/api/start", people.start),
    ("POST", "/api/drill", people.drill),
    ("POST", "/api/enrol", gates.enrol),
    ("POST", "/api/share", gates.share),
    ("GET", "/api/tokens", tokens.tokens),
    ("POST", "/api/token", tokens.issue_one),
    ("POST", "/api/revoke", tokens.revoke),
    ("POST", "/api/frame", gates.frame),
    ("GET", "/api/ledger", ledger.ledger),
    ("GET", "/metrics", metrics.metrics),
    ("GET", "/api/checkpoint", ledger.checkpoint),
    ("GET", "/api/proof", ledger.proof),
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
            return console.refused(said, code)
        return as_json({"error": said}, code)

    return endpoint
