"""What `/api/status` and `/events` say: one honest picture. Its form is in design/0005-live.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from freezetag.live.authority.authority import Row
from freezetag.live.authority.states import Shown, worst
from freezetag.live.server.service import Service

RECENT = 50
LEDGER = frozenset({"start", "ledger", "chain", "rollback"})
"""Doubts under which it is not known who is enrolled."""
FRESH = 0.3
"""Seconds for which a picture is shown again, if nothing was recorded meanwhile."""


def status(service: Service) -> dict[str, Any]:
    """The state of everything, as JSON. Ages are in seconds, `at` and `when` Unix milliseconds."""
    settings, roster = service.home.settings, service.home.roster
    with service.lock:
        authority = service.authority
        facts = authority.facts
        standing = facts.presses.standing(roster)
        agents = [_agent(service, name) for name in facts.agents]
        return {
            "authority": settings.name,
            "at": service.milliseconds(),
            "solo": roster.solo,
            "quorum": roster.quorum,
            "people": [person.name for person in roster.people],
            "locked": sorted(service.doubts.values()),
            "storage": "NOT durable" if service.undurable or service.writer.trouble else "durable",
            "banner": _banner(service, agents),
            "length": settings.length,
            "bound": service.bound,
            "size": service.tree.size,
            "root": service.tree.root().hex(),
            "button": _button(service),
            "agents": agents,
            "presses": [
                {
                    **press.to_json(),
                    "agents": len(facts.reached(press.scope)),
                    "durable": press.id not in service.undurable,
                    "repeats": sum(facts.presses.repeats.get(press.id, {}).values()),
                }
                for press in standing
            ],
            "pending": service.resets.pending(),
            "nodes": service.shared and service.shared.nodes.to_json(),
            "alarms": [
                *authority.alarms[-20:],
                *map(str, authority.drills.failed),
                *filter(None, [service.warning]),
                *(service.notices.troubles if service.notices else ()),
            ],
            "spurious": authority.spurious,
            "timeline": list(service.timeline)[-RECENT:],
        }


def _banner(service: Service, agents: list[dict[str, Any]]) -> str:
    """The worst of all; nobody is only nobody where the ledger says so."""
    if not agents and not LEDGER.intersection(service.doubts):
        return str(Shown.HELD)
    return str(worst(Shown(each["shown"]) for each in agents))


def _button(service: Service) -> dict[str, Any]:
    """How many it stops, when a drill last proved that, and whether the next one is overdue."""
    drills = service.authority.drills
    return {
        "agents": len(service.authority.facts.covered("fleet")),
        "proved": drills.newest and asdict(drills.newest),
        "drill_within": drills.within,
        "overdue": drills.overdue,
        "failed": [asdict(each) for each in drills.failed],
    }


def _agent(service: Service, name: str) -> dict[str, Any]:
    facts = service.authority.facts
    known = facts.agents[name]
    rows = service.authority.shown(name)
    presses = [press.id for press in service.authority.facts.standing(name)]
    shown = worst(row.shown for row in rows)
    if shown in (Shown.ACKNOWLEDGED, Shown.EXPIRED) and service.undurable.intersection(presses):
        shown = Shown.STOPPING  # stopped takes a press that is durable, too
    return {
        "agent": name,
        "groups": sorted(known.groups),
        "on_stop": known.on_stop,
        "limits": dict(known.limits),
        "shared": {
            group: dict(facts.group_limits[group])
            for group in sorted(known.groups)
            if facts.group_limits.get(group)
        },
        "epoch": known.epoch,
        "started": known.started,
        "shown": str(shown),
        "presses": presses,
        "why": service.authority.why(name),
        "incarnations": [_incarnation(service, row) for row in rows],
    }


def _incarnation(service: Service, row: Row) -> dict[str, Any]:
    return {
        "b": row.b,
        "shown": str(row.shown),
        "heard": None if row.heard is None else round(row.heard, 3),
        "in_flight": row.in_flight,
        "last": row.last,
        "unknown": list(row.unknown),
        "connected": service.channels.reaches(row.agent, row.b),
    }


def as_text(service: Service) -> str:
    """The picture as JSON text; the same for all who ask at about the same time."""
    version, now = service.version, service.clock()
    kept = service.picture
    if kept is not None and kept[0] == version and now - kept[1] < FRESH:
        return kept[2]
    told = status(service)
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    service.picture = version, now, text
    return text
