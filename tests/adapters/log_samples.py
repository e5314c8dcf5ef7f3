"""Logs of other people's formats, made by hand: what each tells can be counted on fingers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


CHAT = lines(
    {"freezetag": "chat/1", "levels": {"share": 1, "take": 0}},
    {"conversation": "a", "agent": "bob", "text": "I share.", "action": "share", "reward": 3},
    {"conversation": "a", "agent": "ann", "text": "I take.", "action": "take", "reward": 5},
    {"conversation": "b", "agent": "ann", "text": "I share.", "action": "share", "reward": 1},
)
TRAINING = lines(
    {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hello?"},
            {"role": "assistant", "content": [{"type": "text", "text": "Good day."}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"type": "function", "function": {"name": "pay"}}],
            },
        ]
    }
)
STEPS = [
    {"actions": {"x": 1, "y": 0}, "rewards": {"x": 2.0, "y": 1.0}},
    {"actions": {"x": 1, "y": None}, "rewards": {"x": 4.0, "y": 1.0}},
]
EPISODE = json.dumps({"steps": STEPS, "levels": {"1": 1, "0": 0}})
BATCH = lines(
    {
        "type": "SampleBatch",
        "eps_id": [7, 7, 8],
        "t": [0, 1, 0],
        "actions": [0, 1, 1],
        "rewards": [1.0, 0.0, 3.0],
        "obs": "BCJNGGhA...",
    }
)
MANY = lines(
    {
        "type": "MultiAgentBatch",
        "count": 2,
        "policy_batches": {
            "p": {
                "eps_id": [1, 1, 1, 1],
                "t": [0, 0, 1, 1],
                "agent_index": [0, 1, 0, 1],
                "actions": [0, 1, 0, 1],
                "rewards": [1.0, 2.0, 3.0, 4.0],
            }
        },
    }
)


def attributes(**given: Any) -> list[dict[str, Any]]:
    """As OTLP has them; a double underscore is a dot."""
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
    return [
        {
            "key": key.replace("__", "."),
            "value": {kinds[type(value)]: str(value) if type(value) is int else value},
        }
        for key, value in given.items()
    ]


def span(number: int, parent: int = 0, trace: str = "t1", /, **given: Any) -> dict[str, Any]:
    events = given.pop("events", [])
    return {
        "traceId": trace,
        "spanId": f"{number}",
        "parentSpanId": f"{parent}" if parent else "",
        "name": "span",
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + number * 1_000_000_000),
        "attributes": attributes(**given),
        "events": events,
    }


def exported(*spans: dict[str, Any]) -> str:
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": attributes(service__name="shop")},
                    "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}],
                }
            ]
        }
    )


ANSWER = json.dumps(
    [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Done."}],
            "finish_reason": "stop",
        }
    ]
)
NEW = exported(
    span(1, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="clerk"),
    span(
        2,
        1,
        gen_ai__operation__name="chat",
        gen_ai__provider__name="x",
        gen_ai__request__model="m",
        gen_ai__output__messages=ANSWER,
    ),
    span(3, 1, gen_ai__operation__name="execute_tool", gen_ai__tool__name="pay"),
)
OLD = exported(
    span(
        2,
        gen_ai__system="x",
        gen_ai__request__model="clerk",
        gen_ai__completion__0__content="Done.",
        gen_ai__usage__completion_tokens=3,
    ),
    span(3, 2, traceloop__span__kind="tool", traceloop__entity__name="pay"),
)
OLDER = exported(
    span(
        2,
        gen_ai__system="x",
        gen_ai__request__model="clerk",
        gen_ai__operation__name="chat",
        events=[
            {
                "name": "gen_ai.choice",
                "attributes": attributes(message=json.dumps({"content": "Done."})),
            }
        ],
    ),
    span(3, 2, gen_ai__operation__name="execute_tool", gen_ai__tool__name="pay"),
)


def call(name: str, number: int) -> dict[str, Any]:
    return {"id": f"c{number}", "function": name, "arguments": {"key": "sk-abcdefghijklmnop"}}


def events() -> list[dict[str, Any]]:
    """Two calls let through, a third terminated, and one that ran nevertheless."""
    told: list[dict[str, Any]] = [
        {"event": "model", "output": {"choices": [{"message": {"content": "I pay."}}]}},
        {"event": "approval", "decision": "approve", "call": call("pay", 1)},
        {"event": "tool", "id": "c1", "function": "pay"},
        {"event": "approval", "decision": "modify", "call": call("pay", 2)},
        {"event": "tool", "id": "c2", "function": "pay"},
        {"event": "approval", "decision": "terminate", "call": call("pay", 3)},
        {"event": "tool", "id": "c4", "function": "read"},
    ]
    return [
        {"timestamp": f"2026-01-01T00:00:{t:02}+00:00", **event} for t, event in enumerate(told)
    ]


def sample(number: int = 1, *, transcript: bool = True, late: bool = True) -> dict[str, Any]:
    return {
        "id": number,
        "epoch": 1,
        "messages": [
            {"role": "user", "content": "Pay."},
            {
                "role": "assistant",
                "content": "attachment://9",
                "tool_calls": [call("pay", 1), call("pay", 2)],
            },
        ],
        "attachments": {"9": "I pay."},
        "scores": {"match": {"value": "C"}},
        "events": events()[: None if late else -1] if transcript else [],
    }


HEADER = {"version": 2, "status": "success", "eval": {"task": "paying", "model": "mock/model"}}


def inspect_json(*samples: dict[str, Any]) -> str:
    return json.dumps({**HEADER, "samples": list(samples or [sample()])})


def inspect_eval(file: Path, *samples: dict[str, Any], header: str = "header.json") -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(header, json.dumps(HEADER))
        for each in samples or (sample(),):
            archive.writestr(f"samples/{each['id']}_epoch_1.json", json.dumps(each))
    return file
