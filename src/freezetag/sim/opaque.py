"""A JAX policy that is not a frozen dataclass, such as a network with its weights.

Players are dataclasses, whose numbers enter a compiled program as data. What is none is taken as
it is: the program is compiled for this one object, with its numbers as constants.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from freezetag.core import Array, Obs
from freezetag.core.errors import UserError

_MORE = ("learn", "frozen", "power")


class NotTaken(UserError):
    """A policy that offers more than `init` and `act`, and is not a dataclass."""


class _Same:
    """An object that equals itself alone, whatever its own `==` says."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)


@dataclass(frozen=True)
class Opaque:
    """A policy that is known by `init` and `act` alone."""

    same: _Same

    def init(self, key: Array) -> Any:
        return self.same.it.init(key)

    def act(self, key: Array, carry: Any, obs: Obs) -> tuple[Array, Any]:
        action, after = self.same.it.act(key, carry, obs)
        return action, after


def taken(policy: Any) -> Any:
    """The policy itself if it is a frozen dataclass, else wrapped. Raises `NotTaken`."""
    params: Any = getattr(type(policy), "__dataclass_params__", None)
    if dataclasses.is_dataclass(policy) and params is not None and params.frozen:
        return policy
    name = type(policy).__name__
    if offers := [name for name in _MORE if hasattr(policy, name)]:
        raise NotTaken(
            f"{name} has {', '.join(offers)} beside init and act, so it must be a "
            "@dataclass(frozen=True): its numbers are then data of the compiled program."
        )
    return Opaque(_Same(policy))
