"""Whether what an agent is, or what it remembers, changed while it played."""

from __future__ import annotations

from dataclasses import dataclass

SETTINGS, PARAMETERS, MEMORY = "settings", "parameters", "memory"
"""Kinds of events that hold a `Fingerprint`: of the fields of a player in JAX that does not learn,
which are all its parameters; of what was trained in any other agent; of what is carried from step
to step."""
DIVERGED, UNREAD = "diverged", "parameters unread"
"""Kinds of events of a learner whose numbers are none any more, and of one in Python in which
nobody could look for that."""
_UNKNOWN = "unknown: "


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of one thing before the first step of an episode and after its last, hex digits;
    "" with a reason in `unknown` where it cannot be read."""

    before: str = ""
    after: str = ""
    unknown: str = ""

    def __str__(self) -> str:
        return f"{_UNKNOWN}{self.unknown}" if self.unknown else f"{self.before} {self.after}"

    @classmethod
    def read(cls, text: str) -> Fingerprint:
        """The one that `str` wrote."""
        if text.startswith(_UNKNOWN):
            return cls(unknown=text.removeprefix(_UNKNOWN))
        before, _, after = text.partition(" ")
        return cls(before, after)

    @property
    def changed(self) -> bool | None:
        """None where it is not known."""
        return None if self.unknown else self.before != self.after
