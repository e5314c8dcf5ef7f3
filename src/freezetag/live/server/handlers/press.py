"""The press, and what it would stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezetag.live.remote.operator import UNKNOWN
from freezetag.live.server.handlers import console
from freezetag.live.server.requests import Rejected, as_json, fields_of, from_form, holder
from freezetag.live.server.service import Service
from freezetag.live.signed.names import missing, missing_group

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


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


def _category(value: Any) -> Any:
    """0, 1 or 2 from JSON or a form; anything else is for the service to make 0 of."""
    return int(value) if value in ("0", "1", "2") else value
