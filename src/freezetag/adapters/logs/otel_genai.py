"""Spans of OpenTelemetry in JSON: OTLP/JSON, in one piece or in lines, and what the SDK prints.

A trace is an episode, or a conversation where spans name one (`gen_ai.conversation.id`). A model's
answer is a turn that talks; a tool's call, or an action of a gate of ours, a turn that acts. Names
of before the present conventions are read too: `gen_ai.system`, `gen_ai.completion`,
`gen_ai.completion.0.content`, events `gen_ai.choice` and `gen_ai.content.completion`,
`llm.request.type`, `traceloop.*`. A span may carry what probes need as `freezetag.level` and so on.

Source: OpenTelemetry semantic conventions for generative AI, before and after 1.37; the OTLP file
format. Caveat: what models said is in spans only where their instrumentation was told to keep it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from freezetag.adapters.logs.reader import NAN, Start, json_values, name_of, number, seconds
from freezetag.adapters.logs.told import FACTS, Play, Told, Turn, numbers, said
from freezetag.sim.foreign import BadAgent

NAME = "spans of OpenTelemetry"
OURS = "freezetag."
TALKS = ("chat", "text_completion", "generate_content", "completion")
_NANO = 1e9
_DEEPEST = 64  # ancestors of a span that are asked whose it is


@dataclass
class Span:
    trace: str
    id: str
    parent: str
    start: float
    about: Mapping[str, Any]
    service: str
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def knows(start: Start) -> bool:
    """Resource spans, or spans as the SDK prints them."""
    first = start.first[0] if isinstance(start.first, list) and start.first else start.first
    if isinstance(first, dict):
        return "resourceSpans" in first or {"context", "attributes", "start_time"} <= first.keys()
    return start.first_key in ("resourceSpans", "resource_spans", "name")


def read(start: Start) -> Told:
    """Raises `BadAgent`."""
    values, cut = json_values(start.text(), start.name)
    notes = ["the last span is cut short, and left out"] if cut else []
    spans = [s for v in values for s in _spans(v, start.name)]
    by_id = {(span.trace, span.id): span for span in spans}
    plays: dict[str, list[tuple[float, Turn]]] = defaultdict(list)
    facts: dict[str, dict[str, float]] = defaultdict(dict)
    silent = 0
    for span in spans:
        key = str(_inherited(span, by_id, "gen_ai.conversation.id") or span.trace)
        facts[key] |= {n: number(span.about[OURS + n]) for n in FACTS if OURS + n in span.about}
        turn = _turn(span, by_id)
        if turn is not None:
            plays[key].append((span.start, turn))
            silent += not (turn.text or turn.action)
    if silent:
        notes.append(f"{silent} answers of models without their text: content was not recorded")
    return Told(
        [
            Play([[turn] for _, turn in sorted(turns, key=lambda each: each[0])], facts[key])
            for key, turns in sorted(plays.items(), key=lambda each: min(t for t, _ in each[1]))
        ],
        start.name,
        notes,
    )


def _spans(value: Any, where: str) -> Iterator[Span]:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            raise BadAgent(f"{where}: a span is a JSON object.")
        if isinstance(each.get("context"), dict):
            yield _printed(each)
            continue
        for resource in _list(each, "resourceSpans", "resource_spans"):
            about = _attributes(_dict(resource, "resource").get("attributes"))
            scopes = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
            for scope in _list(resource, *scopes):
                for span in _list(scope, "spans"):
                    yield _exported(span, str(about.get("service.name", "")))


def _printed(given: Mapping[str, Any]) -> Span:
    """A span as `ReadableSpan.to_json` has it."""
    context, about = given["context"], given.get("attributes")
    events = [
        (str(event.get("name")), _attributes(event.get("attributes")))
        for event in _list(given, "events")
    ]
    service = _attributes(_dict(given, "resource").get("attributes")).get("service.name", "")
    return Span(
        str(context.get("trace_id")),
        str(context.get("span_id")),
        str(given.get("parent_id") or ""),
        _or_first(seconds(given.get("start_time"))),
        _attributes(about),
        str(service),
        events,
    )


def _exported(given: Mapping[str, Any], service: str) -> Span:
    """A span of OTLP/JSON; ids are texts, whatever their alphabet."""
    events = [
        (str(event.get("name")), _attributes(event.get("attributes")))
        for event in _list(given, "events")
    ]
    begun = given.get("startTimeUnixNano", given.get("start_time_unix_nano"))
    return Span(
        str(given.get("traceId", given.get("trace_id"))),
        str(given.get("spanId", given.get("span_id"))),
        str(given.get("parentSpanId", given.get("parent_span_id")) or ""),
        _or_first(number(begun) / _NANO),
        _attributes(given.get("attributes")),
        service,
        events,
    )


def _or_first(time: float) -> float:
    return time if time == time else 0.0


def _turn(span: Span, by_id: Mapping[tuple[str, str], Span]) -> Turn | None:
    """What a span tells that somebody did; None for one that tells of something else."""
    about = span.about
    told = numbers(about, OURS)
    agent = _agent(span, by_id)
    time = span.start or NAN
    if f"{OURS}action" in about:
        agent = name_of(about.get(f"{OURS}agent") or agent)
        refused = about.get(f"{OURS}outcome") == "refused"
        return Turn(agent, name_of(about[f"{OURS}action"]), refused, time=time, numbers=told)
    kind = str(about.get("gen_ai.operation.name") or about.get("llm.request.type") or "")
    tool = about.get("gen_ai.tool.name")
    if kind == "execute_tool" or about.get("traceloop.span.kind") == "tool":
        name = tool or about.get("traceloop.entity.name") or "tool"
        return Turn(agent, name_of(name), time=time, numbers=told)
    old = not kind and {"gen_ai.system", "gen_ai.request.model"} <= about.keys()
    if kind in TALKS or old or told:
        return Turn(agent, text=_text(span), time=time, numbers=told)
    return None


def _agent(span: Span, by_id: Mapping[tuple[str, str], Span]) -> str:
    for key in ("gen_ai.agent.name", "gen_ai.agent.id"):
        if found := _inherited(span, by_id, key):
            return name_of(found)
    model = span.about.get("gen_ai.request.model") or span.about.get("gen_ai.response.model")
    model = model or _inherited(span, by_id, "gen_ai.request.model")
    return name_of(model or span.service or "agent")


def _inherited(span: Span, by_id: Mapping[tuple[str, str], Span], key: str) -> Any:
    """What a span says of itself, else its parent, and so on."""
    for _ in range(_DEEPEST):
        if found := span.about.get(key):
            return found
        above = by_id.get((span.trace, span.parent))
        if above is None:
            return None
        span = above
    return None


def _text(span: Span) -> str:
    """What a model answered, by whatever convention it was kept."""
    about = span.about
    if text := _answered(about.get("gen_ai.output.messages")):
        return text
    for name, inner in span.events:
        if name == "gen_ai.client.inference.operation.details":
            text = _answered(inner.get("gen_ai.output.messages"))
        elif name == "gen_ai.choice":
            text = _answered(inner.get("message")) or _answered(inner.get("content"))
        elif name == "gen_ai.content.completion":
            text = _answered(inner.get("gen_ai.completion"))
        if text:
            return text
    return _answered(about.get("gen_ai.completion.0.content")) or _answered(
        about.get("gen_ai.completion")
    )


def _answered(value: Any) -> str:
    """The text of a message, of messages, or of either as JSON in a text."""
    if isinstance(value, str):
        if value[:1] in "[{":
            try:
                return _answered(json.loads(value))
            except (ValueError, RecursionError):
                pass
        return said(value)
    if isinstance(value, list):
        return said(" ".join(filter(None, map(_answered, value[:100]))))
    if isinstance(value, dict):
        if value.get("role") in ("user", "system", "tool"):
            return ""
        if isinstance(value.get("parts"), list):
            return _answered(value["parts"])
        if value.get("type", "text") != "text":
            return ""
        return _answered(value.get("content") or value.get("text") or "")
    return ""


def _attributes(given: Any) -> dict[str, Any]:
    """Attributes as OTLP has them (a list of key and value) or as the SDK prints them."""
    if isinstance(given, dict):
        return given
    return {
        str(each["key"]): _value(each.get("value"))
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, dict) and "key" in each
    }


def _value(given: Any, depth: int = 0) -> Any:
    if not isinstance(given, dict) or depth > _DEEPEST:
        return None
    for kind, value in given.items():
        kind = kind.replace("_v", "V")
        if kind in ("stringValue", "boolValue", "doubleValue"):
            return value
        if kind == "intValue":  # 64 bits are a text in OTLP/JSON
            return number(value)
        if kind == "arrayValue":
            return [_value(each, depth + 1) for each in _list(value, "values")]
        if kind == "kvlistValue":
            return {
                str(each.get("key")): _value(each.get("value"), depth + 1)
                for each in _list(value, "values")
            }
    return None


def _list(given: Any, *names: str) -> list[Any]:
    """The first of these entries that is a list, its objects alone."""
    for name in names:
        found = given.get(name) if isinstance(given, dict) else None
        if isinstance(found, list):
            return [each for each in found if isinstance(each, dict)]
    return []


def _dict(given: Any, name: str) -> dict[str, Any]:
    found = given.get(name) if isinstance(given, dict) else None
    return found if isinstance(found, dict) else {}
