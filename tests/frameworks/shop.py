"""What the tests of all frameworks share: a gate, its journal, tools, and which are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
from tests.frameworks.agents_sdk import AgentsSdk
from tests.frameworks.langchain import LangChain
from tests.frameworks.pydantic_ai import PydanticAI
from tests.frameworks.scripted import Framework
from tests.live.worlds import pair, press, store

from freezetag.core.journal import Journal, read

FRAMEWORKS: tuple[Framework, ...] = (AgentsSdk, LangChain, PydanticAI)
MISSING = "{} is not installed: make frameworks"
PAY = ("pay", {"amount": 1})
LOOK = ("look", {})


def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def need_one() -> None:
    """Skips a whole file where there is none of them, in one line."""
    if not any(is_installed(made.library) for made in FRAMEWORKS):
        libraries = ", ".join(made.library for made in FRAMEWORKS)
        pytest.skip(f"none of {libraries} is installed: make frameworks", allow_module_level=True)


every_framework = pytest.mark.parametrize(
    "made",
    [
        pytest.param(
            made,
            id=made.library,
            marks=pytest.mark.skipif(
                not is_installed(made.library), reason=MISSING.format(made.library)
            ),
        )
        for made in FRAMEWORKS
    ],
)


class Shop:
    """A gate on a good wire, its journal, and tools that say what they did."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.paid: list[int] = []
        _, self.overseer, self.gate, self.wire = pair(journal=Journal(self.lines.append))

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        return [each for each in read(self.lines) if each["kind"] in kinds]

    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.entries("begin", "end", "refused", "stop", "ack")]

    def tools(self, blocks: bool = False) -> list[Callable[..., Any]]:
        async def pay(amount: int) -> str:
            """Pays an amount."""
            self.paid.append(amount)
            return "paid"

        def look() -> str:
            """Looks."""
            return "seen"

        return [pay, look]

    def bar(self, scope: str) -> None:
        store(self.overseer, self.overseer.press(press(1, scope)))
        self.wire.renew()
