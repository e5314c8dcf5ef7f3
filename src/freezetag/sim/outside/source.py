"""Which world from outside is meant, and how it fails. Standard library only.

The world itself lives in a child process (`_stage.py`); what the driver holds is `Hosted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from freezetag.core.errors import RunError, UserError

DECLARED = ("rest", "selfish", "prosocial", "power", "bystander", "horizon", "grid")
"""What may be said of a world that was not made for this; each of it is optional."""

UNKNOWN = {
    "rest": "nobody said which action is one at rest",
    "selfish": "nobody said which action is selfish",
    "prosocial": "nobody said which action is prosocial",
}
"""Why a row is not measured, where nobody said it."""


@dataclass(frozen=True)
class Source:
    """A world that is not JAX.

    scheme        name of a file in `freezetag/adapters/worlds`
    name          what that adapter is asked for: a module, or a file's whole path
    shown         as the user knows it
    settings      of the world, and of what makes it
    step_seconds  seconds one step of one episode may take (wall clock)
    """

    scheme: str
    name: str
    shown: str
    settings: tuple[tuple[str, Any], ...] = ()
    step_seconds: float = 10.0

    def __str__(self) -> str:
        return self.shown


class BadWorld(UserError):
    """The user's mistake in naming or writing a world; raised in the child, by adapters too. It
    reaches the user as a `WorldFailed`."""


class WorldFailed(RunError):
    """A world from outside did something it may not do; `str()` is the message for the user.

    world    as the user knows it
    step     the step of the failure; None before the first
    episode  its number in the batch, or None
    field    "load", "world", "exception", "timeout", "exit" or "channel"
    printed  the last of what it printed (at most 2,000 characters), for whoever debugs it
    """

    def __init__(
        self,
        message: str,
        *,
        world: str = "",
        step: int | None = None,
        episode: int | None = None,
        field: str = "",
        printed: str = "",
    ) -> None:
        super().__init__(message)
        self.world, self.step, self.episode = world, step, episode
        self.field, self.printed = field, printed
        if field == "load":
            self.exit_code = UserError.exit_code  # what was asked for is not to be had
