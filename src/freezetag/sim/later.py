"""What players in JAX learned of a day, made when somebody asks for it.

Most arms have one day, and nobody asks what a classmate would have learned of it for a second one:
a class is not to cost a program more for each arm because one of it could learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any


class Later(MutableMapping[int, Any]):
    """seat -> policy after a day; some are made at the first look at them."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._unmade: dict[int, Callable[[], Any]] = {}

    def later(self, seat: int, make: Callable[[], Any]) -> None:
        """Have `make()` called once, if somebody looks."""
        self._unmade[seat] = make
        self._made[seat] = None

    def __getitem__(self, seat: int) -> Any:
        make = self._unmade.get(seat)
        if make is not None:  # two threads that look at once make the same
            self._made[seat] = make()
            self._unmade.pop(seat, None)
        return self._made[seat]

    def __setitem__(self, seat: int, value: Any) -> None:
        self._unmade.pop(seat, None)
        self._made[seat] = value

    def __delitem__(self, seat: int) -> None:
        self._unmade.pop(seat, None)
        del self._made[seat]

    def __contains__(self, seat: object) -> bool:
        return seat in self._made

    def __iter__(self) -> Iterator[int]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)
