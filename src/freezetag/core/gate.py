"""What an adapter may ask of a gate. The gates themselves are in `freezetag.live`.

An adapter (an environment, MCP, an agent framework) takes a gate as an argument and never imports
one, so that the same adapter runs on a step clock in simulation and on a lease in earnest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from freezetag.core.errors import UserError
from freezetag.core.interlock import Trip


class Refused(UserError):
    """An action was not admitted: `action`, the `reason` in words, and the `trips` behind it."""

    def __init__(self, action: str, reason: str, trips: tuple[Trip, ...] = ()) -> None:
        super().__init__(f"{action!r} is refused: {reason}")
        self.action = action
        self.reason = reason
        self.trips = trips


@runtime_checkable
class GateLike(Protocol):
    """Admits actions one by one, counts those in flight, and never opens by itself."""

    @property
    def is_open(self) -> bool:
        """Whether an action would be admitted now. Ask `begin` to act on it."""
        ...

    @property
    def mode(self) -> int:
        """The panel's mode as last judged: 0 for "go"."""
        ...

    def begin(
        self,
        action: str,
        max_seconds: float | None = None,
        cancel: Callable[[], None] | None = None,
        detail: Any = None,
    ) -> int:
        """Admits `action` and gives its number, or raises `Refused`."""
        ...

    def end(self, number: int, outcome: str = "done") -> None:
        """The action is over: `done`, `failed`, or `unknown` if its effect may still come."""
        ...

    def check(self) -> None:
        """Raises `Refused` unless an action would be admitted now."""
        ...


def ended(kind: type[BaseException] | None) -> str:
    """What to report to `GateLike.end` of an action that ended by an exception of this kind.

    Every event loop cancels by an exception of its own, and none is an `Exception`; no more is what
    abandons a generator or interrupts a program. What such an action had begun may take effect.
    """
    if kind is None:
        return "done"
    return "failed" if issubclass(kind, Exception) else "unknown"


def outcome_of(future: Any) -> str:
    """The same of a future or task that is done. Cancelling is not stopping: what a cancelled one
    had begun may still take effect."""
    if future.cancelled():
        return "unknown"
    error = future.exception()
    return ended(None if error is None else type(error))
