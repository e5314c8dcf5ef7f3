"""What people ask, beside the button: to be counted as here, to reset, to start, to drill."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from freezetag.core.errors import UserError
from freezetag.live.authority.tokens import RIGHTS, within
from freezetag.live.server.requests import (
    Rejected,
    as_json,
    back,
    fields_of,
    from_form,
    holder,
    require_own_origin,
)
from freezetag.live.server.service import Service
from freezetag.live.server.sessions import LASTS, LASTS_PLAIN, address, cookie, why_not
from freezetag.live.signed.names import missing
from freezetag.live.signed.presses import Clearance

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def login(service: Service, request: Request) -> Response:
    """Signs a browser in, for the pages that need the right of this token."""
    fields = await fields_of(request)
    require_own_origin(request)
    for right in RIGHTS:
        if service.home.tokens.check(fields.get("token"), right):
            plain = request.url.scheme != "https"
            if plain and (why := why_not(right, address(request))):
                raise Rejected(403, why)
            answer = back()
            answer.set_cookie(
                cookie(request, right),
                service.sessions.begin(str(fields["token"]), address(request), plain),
                httponly=True,
                samesite="strict",
                secure=not plain,
                max_age=LASTS_PLAIN if plain else LASTS,
            )
            return answer
    raise Rejected(401, "this token is not known here.")


async def present(service: Service, request: Request) -> Response:
    """A person is here: agents with a limit of `presence` may go on. What only watches, such as a
    dashboard, holds no token for this."""
    holder(service, request, await fields_of(request), "present")
    service.present()
    return as_json({"present": True})


async def draft(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    warning = await asyncio.to_thread(lambda: service.home.warning)
    with service.lock:
        query = request.query_params
        told = service.resets.draft(query.get("scope", ""), "fresh" in query)
    return as_json({**told, "warning": warning})


async def clear(service: Service, request: Request) -> Response:
    """Signatures are what allows this; no token does."""
    fields = await fields_of(request)
    return as_json(await service.clear(Clearance.from_json(fields)))


async def start(service: Service, request: Request) -> Response:
    fields = await fields_of(request)
    agent = str(fields.get("agent", ""))
    known = service.authority.facts.agents.get(agent)
    groups = known.groups if known else ()
    token = holder(service, request, fields, "start", f"agent:{agent}", groups)
    if known is None and not service.doubts:
        raise UserError(missing(agent, service.covered(token.scope)))
    who = str(fields.get("who") or token.holder)[:200]
    await service.start(agent, who, token.holder)
    if from_form(request):
        return back()
    return as_json({"agent": agent, "started": True, "who": who, "by": token.holder})


async def drill(service: Service, request: Request) -> Response:
    """Of the agent that is named, else of whoever runs and was drilled longest ago.

    With the public `key` that is to clear it, only if that is the key of somebody who may.
    """
    fields = await fields_of(request)
    agent = str(fields.get("agent") or "")
    with service.lock:
        groups = {name: known.groups for name, known in service.authority.facts.agents.items()}
    if agent:
        scope = f"agent:{agent}"
        token = holder(service, request, fields, "drill", scope, groups.get(agent, ()))
    else:
        token = holder(service, request, fields, "drill")
        reached = [n for n in groups if within(f"agent:{n}", token.scope, groups[n])]
        agent = service.proof_tests.next(reached)
    if fields.get("key"):
        _may_clear(service, str(fields["key"]))
    longest = 4 * service.home.settings.length
    id, took = await service.proof_tests.drill(agent, token.holder, longest)
    told = None if took is None else round(took * 1000, 1)
    return as_json({"id": id, "agent": agent, "milliseconds": told})


def _may_clear(service: Service, key: str) -> None:
    """Raises `UserError` for a public key that is nobody's in the roster."""
    people = service.home.roster.people
    if key not in [base64.b64encode(person.key).decode() for person in people]:
        names = ", ".join(person.name for person in people)
        raise UserError(
            f"this key is of nobody in the roster, so nothing was pressed. Who may: {names}."
        )
