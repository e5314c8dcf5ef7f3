"""`/metrics`: the picture as numbers, in the text format of Prometheus (version 0.0.4).

Takes a token with the right `status`, as a bearer token. States are counted over agents, so that
ten thousand of them make no more lines than ten. Names end as Prometheus has it: `_total` for what
only grows, `_seconds` for times.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from freezetag.live.authority.states import Shown, worst
from freezetag.live.server.requests import HEADERS, holder
from freezetag.live.server.service import Service
from freezetag.live.signed.frames import bound
from freezetag.live.signed.presses import KINDS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

TYPE = "text/plain; version=0.0.4; charset=utf-8"
AT_ONCE = 200
"""Agents that are looked at under one hold of the service's lock."""


class Family(NamedTuple):
    """One metric: `values` maps the value of its one label ("" without a label) to a number."""

    name: str
    kind: str
    help: str
    values: Mapping[str, float]
    label: str = ""


async def metrics(service: Service, request: Request) -> Response:
    from starlette.responses import Response

    holder(service, request, {}, "status")
    text = await asyncio.to_thread(lambda: as_text(families(service)))
    return Response(text, media_type=TYPE, headers=HEADERS)


def families(service: Service) -> list[Family]:
    """What there is to count. Agents are looked at a few at a time: a press goes before."""
    with service.lock:
        authority = service.authority
        facts, drills = authority.facts, authority.drills
        names = list(facts.agents)
        standing = Counter(press.kind for press in facts.presses.standing(facts.roster))
        pressed = Counter(press.kind for press in facts.presses.presses)
        age, overdue = drills.age(), drills.overdue
        failed = sum(each.count for each in drills.failed)
        length, size = authority.longest(), service.tree.size
        undurable = len(service.undurable)
    shown: Counter[str] = Counter()
    connected, silent, flying = 0, 0.0, 0
    for at in range(0, len(names), AT_ONCE):
        with service.lock:
            for name in names[at : at + AT_ONCE]:
                rows = authority.shown(name)
                shown[str(worst(row.shown for row in rows))] += 1
                connected += any(service.channels.reaches(name, row.b) for row in rows)
                flying += sum(row.in_flight or 0 for row in rows)
                silent = max([silent, *(row.heard for row in rows if row.heard is not None)])
    hooks = service.notices.webhooks if service.notices else None
    waiting = hooks.queue.waiting() if hooks else {}
    found = [
        Family("locked", "gauge", "1 if no lease is granted.", {"": bool(service.doubts)}),
        Family(
            "storage_durable",
            "gauge",
            "1 if the ledger can be written and every press is in it.",
            {"": not (undurable or service.writer.trouble)},
        ),
        Family(
            "agents",
            "gauge",
            "Enrolled agents, by the worst state of their incarnations.",
            {str(state): shown[str(state)] for state in Shown},
            "state",
        ),
        Family("gates_connected", "gauge", "Agents whose stop would be pushed.", {"": connected}),
        Family("actions_in_flight", "gauge", "As the gates said last.", {"": flying}),
        Family("silence_seconds", "gauge", "Since the quietest gate was heard.", {"": silent}),
        Family(
            "presses_standing",
            "gauge",
            "Presses that no clearance covers.",
            {kind: standing[kind] for kind in KINDS},
            "kind",
        ),
        Family(
            "presses_total",
            "counter",
            "Presses in the ledger, and those on their way there.",
            {kind: pressed[kind] for kind in KINDS},
            "kind",
        ),
        Family("presses_not_durable", "gauge", "Presses only in memory yet.", {"": undurable}),
        Family("ledger_records_total", "counter", "Records in the ledger.", {"": size}),
        Family(
            "commit_stalled_seconds",
            "gauge",
            "How long the commit under way has taken.",
            {"": service.writer.stalled()},
        ),
        Family("rearms_total", "counter", "Since the start: stops by silence alone.",
               {"": authority.spurious}),
        Family("lease_seconds", "gauge", "The longest lease outstanding.", {"": length}),
        Family("bound_seconds", "gauge", "After a press nobody hears.", {"": bound(length)}),
        Family("drill_age_seconds", "gauge", "Since the newest drill; NaN: unknown.", {"": age}),
        Family("drill_overdue", "gauge", "1 if only canaries are started.", {"": overdue}),
        Family("drills_failed", "gauge", "That no later drill of their agent made good.",
               {"": failed}),
        Family("consoles", "gauge", "Who watches /events.", {"": service.watchers}),
    ]  # fmt: skip
    if hooks is not None:
        told = {"delivered": hooks.delivered, "failed": hooks.failed}
        found += [
            Family("webhooks_waiting", "gauge", "Notices in the queue.", {
                "": sum(waiting.values())}),
            Family("webhook_tries_total", "counter", "Since the start.", told, "outcome"),
        ]  # fmt: skip
    return found


def as_text(metrics: Iterable[Family]) -> str:
    """The exposition format. Label values are ours, so none has to be escaped."""
    lines = []
    for each in metrics:
        name = f"freezetag_{each.name}"
        lines += [f"# HELP {name} {each.help}", f"# TYPE {name} {each.kind}"]
        for value, number in each.values.items():
            label = f'{{{each.label}="{value}"}}' if each.label else ""
            lines.append(f"{name}{label} {_number(float(number))}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if abs(value) == float("inf"):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)
