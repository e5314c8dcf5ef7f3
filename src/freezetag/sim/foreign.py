"""What an agent is that this package did not write, and how it can fail. Standard library only.

A foreign agent is named by data; the object itself lives in a worker process (`sim/workers.py`).
Its observation is a dictionary, see `sim/plain.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from freezetag.core.errors import RunError, UserError, printable

__all__ = ["MIXED", "OUTSIDE", "AgentFailed", "BadAgent", "Foreign", "Outside", "printable"]


MIXED = "_mixed"
"""The scheme of a column in which agents of several schemes sit: names are "scheme:name"."""
OUTSIDE = "outside"
"""The field of a failure that is not the agent's: see `Outside`."""
_OWN = ("object", "player")


@dataclass(frozen=True)
class Foreign:
    """An agent that is not pure JAX.

    scheme        name of a file in `freezetag/adapters/agents`: "python_file", "axelrod", ...
    name          what that adapter is asked for: a path, "package.module:object", "Grudger"
    step_seconds  seconds one act of one episode may take (wall clock)
    """

    scheme: str
    name: str
    step_seconds: float = 2.0

    def __str__(self) -> str:
        """As the user knows it, without the folders of a path."""
        if self.scheme == MIXED:
            scheme, _, name = self.name.partition(":")
            return str(Foreign(scheme, name)) if scheme not in _OWN else name.rpartition("/")[2]
        if self.scheme == "python_file":
            return self.name.rpartition("/")[2]
        return f"{self.scheme}:{self.name}"


@dataclass(frozen=True)
class Remark:
    """What an agent gave beside its action in episode `b`: kind "thought", "say", "note",
    "unreadable" or "repaired"."""

    b: int
    kind: str
    text: str


class BadAgent(UserError):
    """The user's mistake in naming or writing an agent; `str()` says what to do about it.

    Adapters raise it while they load. It reaches the user as an `AgentFailed`.
    """


class Outside(RunError):
    """Something that an agent needs and is no part of it is not there: its endpoint, its budget.
    Agents raise it while they act; `str()` says what. Nobody's conduct was seen."""


class AgentFailed(RunError):
    """A foreign agent did something it may not do; `str()` is the message for the user.

    agent    as the user knows it: "my_agent.py", "axelrod:Grudger"
    step     the step of the failing act; None while loading or between days
    seat     the seat column the agent was playing; episode its number in the batch, or None
    field    "load", "reset", "action", "exception", "timeout", "exit", "channel", "learn", or
             "outside", where what it needs was not there
    value    what it returned or did, as text (printable characters only, shortened)
    allowed  what would have been right, as text
    printed  the last of what it printed (at most 2,000 characters), for whoever debugs it
    """

    def __init__(
        self,
        message: str,
        *,
        agent: str = "",
        step: int | None = None,
        seat: int | None = None,
        episode: int | None = None,
        field: str = "",
        value: str = "",
        allowed: str = "",
        printed: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.agent = agent
        self.step = step
        self.seat = seat
        self.episode = episode
        self.field = field
        self.value = value
        self.allowed = allowed
        self.printed = printed

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.message, {k: v for k, v in vars(self).items() if k != "message"})


def _rebuild(message: str, fields: dict[str, Any]) -> AgentFailed:
    return AgentFailed(message, **fields)
