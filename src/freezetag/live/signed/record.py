"""What every kind of record tells: where it belongs in the state, and its sentence for people.

A sentence comes in pieces, so that a page can give each its look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

Body = Mapping[str, Any]
Scopes = Mapping[str, str]
"""Press ids and their scopes, as far as they are known."""


class Part(NamedTuple):
    """A piece of a sentence. `style`: "strong", "name" (not ours: to be quoted), "scope", ""."""

    style: str
    text: str


class Sentence(NamedTuple):
    """What a record says to people; `look` is the kind of event, for its colour."""

    look: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Without styles."""
        return "".join(part.text for part in self.parts)


def quoted(text: str) -> Part:
    """Words that are not ours."""
    return Part("name", text)


class State(NamedTuple):
    """Under which `name` a record belongs to the state ("": it does not), of which agent's present
    incarnations it is a part (`of`), and whose earlier ones it ends (`over`).

    Reading the records of the state alone, in order, gives the state that all of them give: of one
    name the newest counts.
    """

    name: str = ""
    of: str | None = None
    over: str = ""


_NOTHING = State()


@dataclass(frozen=True)
class Record:
    """A kind of record: `kind` in the ledger. One that `frees` lets something go on, so it must not
    come true after it was said that it could not be written. `shown`: in the timeline.

    Of several nodes: what `frees` must have been decided with every record that `decides`, and a
    slice of a budget with every one that `shares`.
    """

    kind: ClassVar[str] = ""
    frees: ClassVar[bool] = False
    decides: ClassVar[bool] = False
    shares: ClassVar[bool] = False
    shown: ClassVar[bool] = True

    @staticmethod
    def state(body: Body, i: int) -> State:
        """Where record `i` with this body belongs in the state."""
        return _NOTHING

    def sentence(self, scopes: Scopes) -> Sentence:
        """What happened, for people."""
        return Sentence("other", (Part("", self.kind),))
