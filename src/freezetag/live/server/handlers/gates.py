"""What gates ask: to be taken up, and to have a frame answered where no channel is open.

Beside it, what several of them share: the budgets of a group.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from freezetag.live.server.channels import Unknown
from freezetag.live.server.requests import HEADERS, Rejected, as_json, body_of, fields_of, holder
from freezetag.live.server.service import Service
from freezetag.live.signed.names import checked, missing, missing_group
from freezetag.live.signed.records import asked_by

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def enrol(service: Service, request: Request) -> Response:
    """Takes an agent up; the answer is what its gate has to hold, and is secret.

    `absent` says which agents it depends on that are not enrolled, for whoever enrols it.
    """
    fields = await fields_of(request)
    token = holder(service, request, fields, "admin")
    limits = _limits(fields)
    try:
        groups, after = (list(map(str, fields.get(key, ()))) for key in ("groups", "depends_on"))
    except TypeError as error:
        raise Rejected(400, f"groups and depends_on are lists of names: {error}.") from None
    agent = checked(str(fields.get("agent", "")), "an agent's name")
    groups = [checked(group, f"{agent}: a group's name") for group in groups]
    after = [checked(name, f"{agent}: the name it depends on") for name in after]
    on_stop, safe = str(fields.get("on_stop", "rest_is_safe")), str(fields.get("safe_state", ""))

    def decide() -> list[tuple[str, dict[str, Any]]]:
        what = service.authority.enrol(agent, groups, on_stop, limits, after, safe)
        return asked_by(token.holder, what)

    await service.commit(decide)
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
            "addresses": [
                *service.gate_addresses,
                *(service.shared.nodes.addresses if service.shared is not None else ()),
            ],
        }
    )


async def share(service: Service, request: Request) -> Response:
    """What a group's agents may use together, in place of what was said of it before. Tells who
    they are, and which of them are held since a limit was raised or dropped."""
    fields = await fields_of(request)
    holder(service, request, fields, "admin")
    group, limits = checked(str(fields.get("group", "")), "a group's name"), _limits(fields)
    records: list[tuple[str, dict[str, Any]]] = []

    def decide() -> list[tuple[str, dict[str, Any]]]:
        records[:] = service.authority.limit_group(group, limits)
        return records

    await service.commit(decide)
    with service.lock:
        facts = service.authority.facts
        agents = facts.covered(f"group:{group}")
        groups = sorted({each for agent in facts.agents.values() for each in agent.groups})
    held = [body["agent"] for kind, body in records if kind == "held"]
    absent = "" if agents else missing_group(group, groups)
    return as_json({"group": group, "agents": agents, "held": held, "absent": absent})


def _limits(fields: Mapping[str, Any]) -> dict[str, float]:
    """Raises `Rejected`."""
    try:
        return {str(name): float(value) for name, value in dict(fields.get("limits", {})).items()}
    except (TypeError, ValueError) as error:
        raise Rejected(400, f"limits are names and numbers: {error}.") from None


async def frame(service: Service, request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    try:
        answer = await service.frame((await body_of(request)).decode())
    except (Unknown, UnicodeDecodeError):
        raise Rejected(403, "not authentic.") from None
    return PlainTextResponse(answer or "", headers=HEADERS)
