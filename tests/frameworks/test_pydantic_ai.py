"""What Pydantic AI alone has: one toolset behind the gate, and every event of a run."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.frameworks.pydantic_ai import PydanticAI, model
from tests.frameworks.scripted import says
from tests.frameworks.shop import LOOK, PAY, Shop

import freezetag as ft

pytest.importorskip("pydantic_ai", reason="pydantic_ai is not installed: make frameworks")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_one_toolset_behind_the_gate() -> None:
    shop = Shop()
    clerk = PydanticAI(shop.gate, shop.tools(), says([PAY, LOOK], "enough"), as_toolset=True)
    assert asyncio.run(clerk.run()) == "enough"
    assert shop.gate.last == 2
    shop.gate.press("enough")
    clerk = PydanticAI(shop.gate, shop.tools(), says([LOOK], "never said"), as_toolset=True)
    with pytest.raises(ft.Refused, match="'tool look' is refused"):
        asyncio.run(clerk.run())


def test_a_renamed_toolset_is_gated_under_the_name_that_the_model_sees() -> None:
    """The capability stands before toolsets of any kind, also renamed and filtered ones."""
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.toolsets import FunctionToolset

    from freezetag.adapters.gates.pydantic_ai import gate_capability

    shop = Shop()
    toolset = FunctionToolset(shop.tools()).prefixed("shop")
    made = Agent(TestModel(), toolsets=[toolset], capabilities=[gate_capability(shop.gate)])
    asyncio.run(made.run("go"))
    assert {each["action"] for each in shop.entries("begin")} == {
        "tool shop_pay",
        "tool shop_look",
    }


def test_a_run_whose_events_are_read_ends_too() -> None:
    shop = Shop()
    clerk = PydanticAI(shop.gate, shop.tools(), says([LOOK], [PAY], "never said"))

    async def main() -> list[str]:
        seen = []
        async with clerk.agent.run_stream_events("go") as events:
            async for event in events:
                seen.append(event.event_kind)
                if event.event_kind == "function_tool_result":
                    shop.gate.press("enough")
        return seen

    with pytest.raises(ft.Refused, match="'tool pay' is refused"):
        asyncio.run(main())
    assert shop.paid == []


def test_a_timeout_does_not_leave_a_thread_to_itself() -> None:
    from pydantic_ai import Agent, Tool

    from freezetag.adapters.gates.pydantic_ai import gate_capability

    shop, heard = Shop(), list[str]()

    def pay(amount: int) -> str:
        """Pays an amount."""
        threading.Event().wait(0.2)
        return f"paid with {shop.gate.in_flight} in flight"

    chat = model(says([PAY], "enough"), heard)
    guard = gate_capability(shop.gate)
    made = Agent(chat, tools=[Tool(pay, timeout=0.01)], capabilities=[guard])
    assert asyncio.run(made.run("go")).output == "enough"
    assert heard == ["paid with 1 in flight"]
