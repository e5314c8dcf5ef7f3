"""What a language model remembers of an episode: its carry, saved, restored and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

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

    def messages(self) -> list[dict[str, str]]:
        """The past as messages."""
        told = []
        if self.summary:
            told.append(
                {
                    "role": "user",
                    "content": f"What happened before, in your own words: {self.summary}",
                }
            )
            told.append({"role": "assistant", "content": "I remember."})
        for question, answer in self.turns:
            told.append({"role": "user", "content": question})
            told.append({"role": "assistant", "content": answer})
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
