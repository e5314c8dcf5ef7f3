"""Answers that are calls of a tool: how tools are offered to a model, and how a call is read.

A model that calls tools is asked in the form that it was made for, and whatever it answers is read
back as the text that says the same, so that records and questions do not depend on the form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freezetag.core.speech import Parts, Reply, Unread

MARK = "\x1e"
"""Begins an answer that was a call: a character that no text of a model begins with."""


@dataclass(frozen=True)
class Call:
    """One call of a tool: its name, its arguments as the model wrote them, and what it said."""

    name: str
    arguments: str
    said: str = ""

    def __str__(self) -> str:
        return MARK + json.dumps([self.name, self.arguments, self.said])

    @classmethod
    def read(cls, text: str) -> Call | None:
        """The call that `str` wrote; None for an answer in words."""
        return cls(*json.loads(text[len(MARK) :])) if text.startswith(MARK) else None

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments; none where they are no JSON object."""
        try:
            found = json.loads(self.arguments)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def shown(self) -> str:
        """For people: what was said, and what was called."""
        return f"{self.said}\n" * bool(self.said) + f"{self.name}({self.arguments})"


def offered(reply: Reply) -> list[dict[str, Any]]:
    """The tools of a reply as functions with a JSON schema; none where it has none."""
    if not isinstance(reply, Parts):
        return []
    given = {
        name.lower(): {"type": "string", "enum": list(choice.labels)}
        for name, choice in reply.parts[1:]
    }
    schema = {
        "type": "object",
        "properties": given,
        "required": list(given),
        "additionalProperties": False,
    }
    return [
        {"name": tool.name, "description": tool.does, "parameters": schema} for tool in reply.tools
    ]


def read(text: str, reply: Reply) -> Any:
    """What an answer names, in words or by a call."""
    call = Call.read(text)
    if call is None:
        return reply.read(text)
    if not isinstance(reply, Parts):
        return reply.read(call.shown)
    words = reply.called(call.name, call.given)
    return words if isinstance(words, Unread) else reply.read(words)


def found(message: Mapping[str, Any], said: str) -> Call | None:
    """The first call in the message of a chat completion, under the names that servers use."""
    calls = message.get("tool_calls") or message.get("tool_call") or message.get("function_call")
    one = calls[0] if isinstance(calls, list) and calls else calls
    if not isinstance(one, dict):
        return None
    function = one.get("function") if isinstance(one.get("function"), dict) else one
    return called(function.get("name"), function.get("arguments"), said)  # type: ignore[union-attr]


def called(name: Any, arguments: Any, said: str) -> Call | None:
    """A call by what a server gave for it; some give arguments as an object."""
    if not isinstance(name, str) or not name:
        return None
    given = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return Call(name[:100], given[:2000], said[:2000])
