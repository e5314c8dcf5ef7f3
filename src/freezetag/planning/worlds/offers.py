"""What some worlds offer beyond their model, for planning worlds that are made of it.

Each is a counterfactual that only the world itself can state: what follows if nobody reads,
what a human who errs would do without error, what an other content of the terminal would pay.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from freezetag.core import HasModel, UserError
from freezetag.core.model import Chances


class NotOffered(UserError, ValueError):
    """A planner was seated in a world that lacks what its planning world is made of."""


@runtime_checkable
class HasThaw(HasModel, Protocol):
    """A world in which what trips an interlock can be undone, and by others alone (F11)."""

    @property
    def thaws(self) -> tuple[str, ...]:
        """The sensors of which that is so."""
        ...


@runtime_checkable
class HasTerminal(HasModel, Protocol):
    """A world in which the current reward function lies in a terminal, and can be changed there."""

    def content(self, state: Any) -> Any:
        """The reward function that the terminal holds in a state, by name."""
        ...

    def worth(self, content: Any, state: Any, after: Any) -> Any:
        """R(s, s') by the reward function of that name."""
        ...


@runtime_checkable
class HasReader(HasModel, Protocol):
    """A world in which somebody may read what the agent says, and act on it."""

    def unread(self, state: Any, action: str) -> Chances:
        """What follows if nobody reads it."""
        ...


@runtime_checkable
class HasHuman(HasModel, Protocol):
    """A world in which a human decides what happens when the agent defers."""

    def rational(self, state: Any, action: str) -> Chances:
        """What follows if that human makes no mistake."""
        ...


def offering(world: Any, offer: type, planner: object) -> Any:
    """`world`, if it makes the offer. Raises `NotOffered`."""
    if isinstance(world, offer):
        return world
    lacking = sorted(name for name in vars(offer) if name[0] != "_" and not hasattr(world, name))
    raise NotOffered(
        f"{type(planner).__name__} needs {', '.join(lacking)} of its world, and "
        f"{type(world).__name__} lacks it. `home` names a world that has it."
    )
