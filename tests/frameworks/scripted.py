"""The same agent in each framework: tools behind a gate, and a model that follows a script.

The library of a framework is imported where its agent is made, so that these files can be read
where it is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Calls = list[tuple[str, dict[str, Any]]]
Script = Callable[[int], Calls | str]
"""From the number of the model's turn, from 0, to the calls of that turn, or its last words."""


class Scripted(Protocol):
    """One agent. `heard` is what its tools gave, as the model saw it, in order."""

    heard: list[str]

    async def run(self, *, stream: bool = False) -> str:
        """The last words. Raises what ends the run."""
        ...

    def run_sync(self) -> str: ...


class Framework(Protocol):
    """Makes an agent; without a gate its tools are as the framework has them."""

    library: str

    def __call__(
        self, gate: Any, tools: Sequence[Callable[..., Any]], script: Script, **options: Any
    ) -> Scripted: ...


def says(*turns: Calls | str) -> Script:
    return lambda turn: turns[turn]
