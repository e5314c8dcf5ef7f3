"""What a language model remembers of an episode: its carry, saved, restored and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from freezetag.adapters.language.tools import Call

WINDOW, SUMMARY, NONE = "window", "summary", "none"
KINDS = (WINDOW, SUMMARY, NONE)


@dataclass
class Memory:
    """What was said before, as (question, answer) pairs.

    window   the last `length` pairs as they were
    summary  as window, but what falls out of it is put into words by the model itself, and stays
    none     nothing: every step is the first
    """

    kind: str = WINDOW
    length: int = 20
    turns: list[tuple[str, str]] = field(default_factory=list)
    summary: str = ""

    def messages(self, last: str = "") -> list[dict[str, Any]]:
        """The past as messages, and the question that follows it. A call of a tool is followed by
        its result, and that is what was told next."""
        told: list[dict[str, Any]] = []
        if self.summary:
            told.append(
                {
                    "role": "user",
                    "content": f"What happened before, in your own words: {self.summary}",
                }
            )
            told.append({"role": "assistant", "content": "I remember."})
        number = ""
        for place, (question, answer) in enumerate(self.turns):
            told.append(_asked(question, number))
            call, number = Call.read(answer), ""
            if call is None:
                told.append({"role": "assistant", "content": answer})
            else:
                number = f"call_{place}"
                told.append(
                    {"role": "assistant", "content": call.said, "tool_calls": [_made(call, number)]}
                )
        if last:
            told.append(_asked(last, number))
        return told

    def add(self, question: str, answer: str) -> Sequence[tuple[str, str]]:
        """Remember a turn; what has to be summed up now, if anything."""
        if self.kind == NONE:
            return ()
        self.turns.append((question, answer))
        if len(self.turns) <= self.length:
            return ()
        if self.kind == WINDOW:
            del self.turns[: -self.length]
            return ()
        half = max(1, self.length // 2)
        old, self.turns = self.turns[:-half], self.turns[-half:]
        return old

    def save(self) -> bytes:
        """All of it, as bytes."""
        return json.dumps(
            {"kind": self.kind, "length": self.length, "turns": self.turns, "summary": self.summary}
        ).encode()

    @classmethod
    def load(cls, state: bytes) -> Memory:
        """What `save` gave."""
        told = json.loads(state)
        return cls(
            told["kind"],
            told["length"],
            [(question, answer) for question, answer in told["turns"]],
            told["summary"],
        )

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.save()).hexdigest()[:16]


def _asked(question: str, number: str) -> dict[str, Any]:
    """A question, which is the result of call `number` if there was one."""
    result = {"role": "tool", "tool_call_id": number} if number else {"role": "user"}
    return {**result, "content": question}


def _made(call: Call, number: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": number, "type": "function", "function": function}
