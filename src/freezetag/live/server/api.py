"""What programs ask: states, resets, starts, enrolment, drills, frames, the ledger."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from freezetag.core.errors import UserError
from freezetag.live.names import checked, missing
from freezetag.live.presses import Clearance
from freezetag.live.server.asking import (
    HEADERS,
    Rejected,
    as_json,
    back,
    body_of,
    fields_of,
    from_form,
    holder,
    number,
)
from freezetag.live.server.service import Service
from freezetag.live.server.status import status
from freezetag.live.server.wire import Unknown
from freezetag.live.tokens import within

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

EXPORT = 10_000


async def show_status(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    return as_json(await asyncio.to_thread(status, service))


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
    await service.start(agent, who)
    if from_form(request):
        return back()
    return as_json({"agent": agent, "started": True, "who": who})


async def enrol(service: Service, request: Request) -> Response:
    """Takes an agent up; the answer is what its gate has to hold, and is secret.

    `absent` says which agents it depends on that are not enrolled, for whoever enrols it.
    """
    fields = await fields_of(request)
    holder(service, request, fields, "admin")
    try:
        limits = {str(name): float(value) for name, value in dict(fields.get("limits", {})).items()}
        groups, after = (list(map(str, fields.get(key, ()))) for key in ("groups", "depends_on"))
    except (TypeError, ValueError) as error:
        raise Rejected(400, f"limits are names and numbers: {error}.") from None
    agent = checked(str(fields.get("agent", "")), "an agent's name")
    groups = [checked(group, f"{agent}: a group's name") for group in groups]
    after = [checked(name, f"{agent}: the name it depends on") for name in after]
    on_stop, safe = str(fields.get("on_stop", "rest_is_safe")), str(fields.get("safe_state", ""))
    await service.enrol(agent, groups, on_stop, limits, after, safe)
    home = service.home
    with service.lock:
        there = service.authority.facts.agents
        absent = {name: missing(name, list(there)) for name in after if name not in there}
    return as_json(
        {
            "absent": absent,
            "gate": agent,
            "authority": home.settings.name,
            "key": base64.b64encode(service.authority.key_for(agent)).decode(),
            "length": home.settings.length,
            "public": base64.b64encode(home.public).decode(),
            "roster": home.roster.to_json(),
            "addresses": service.gate_addresses,
        }
    )


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
        agent = service.next_drill(reached)
    if fields.get("key"):
        _may_clear(service, str(fields["key"]))
    longest = 4 * service.home.settings.length
    id, took = await service.drill(agent, token.holder, longest)
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
    first = number(request, "from", 0)
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
        new = number(request, "to", service.tree.size)
        old = number(request, "from", 0)
        return as_json({"from": old, "to": new, "proof": service.tree.consistency(old, new)})
