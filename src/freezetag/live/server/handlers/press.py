"""The press, and what it would stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezetag.core.scopes import understood
from freezetag.live.remote.operator import UNKNOWN
from freezetag.live.server.handlers import console
from freezetag.live.server.requests import Rejected, as_json, flag, from_form, holder, pairs_of
from freezetag.live.server.service import DURABLE, Service
from freezetag.live.signed.names import missing, missing_group

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from freezetag.live.authority.tokens import Token


async def press(service: Service, request: Request) -> Response:
    """One gesture: whoever holds the token stops its scope; several scopes, if several are named.

    Only a presser who says `known` is told of a name that stops nobody, since no agent or group has
    it, instead of pressing it; and not while anything is in doubt, such as which agents there are.
    """
    pairs = await pairs_of(request)
    fields = dict(pairs)
    if sum(name == "category" for name, _ in pairs) > 1:
        fields["category"] = 0  # whoever says two things gets the harder stop
    scopes = [str(value or "fleet") for name, value in pairs if name == "scope"] or ["fleet"]
    tokens = {scope: _allowed(service, request, fields, scope) for scope in scopes}
    if flag(fields.get("dry_run")):
        names = list(dict.fromkeys(name for each in tokens for name in service.covered(each)))
        told = {"id": "", "state": "dry run", "agents": len(names), "names": names}
        return as_json(told | {"understood": all(map(understood, tokens))})
    presses = [
        service.press(
            scope,
            token.holder,
            fields.get("reason", ""),
            _category(fields.get("category")),
            fields.get("id") if len(tokens) == 1 else None,
        )
        for scope, token in tokens.items()
    ]
    answers = [await service.answer(each) for each in presses]
    told = max(answers, key=lambda each: each["state"] != DURABLE)
    names = list(dict.fromkeys(name for each in tokens for name in service.covered(each)))
    told["agents"] = len(names)
    told["understood"] = all(map(understood, tokens))
    if not from_form(request):
        return as_json(told)
    return console.pressed(service, list(tokens), names, told)


def _allowed(service: Service, request: Request, fields: dict[str, Any], scope: str) -> Token:
    """The token that presses `scope`. Raises `Rejected`."""
    kind, _, name = scope.partition(":")
    known = service.authority.facts.agents.get(name)
    groups = known.groups if known and kind == "agent" else frozenset()
    token = holder(service, request, fields, "press", scope, groups)
    named = kind in ("agent", "closure", "group") and name
    if flag(fields.get("known")) and named and not service.doubts and not service.covered(scope):
        raise Rejected(UNKNOWN, _missing(service, kind, name, token.scope))
    return token


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
