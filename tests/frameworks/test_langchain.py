"""What LangChain and LangGraph alone have: a graph of one's own, and a checkpoint to go on from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.frameworks.langchain import GO, LONG, LangChain, model
from tests.frameworks.oracle import agent, cleared
from tests.frameworks.scripted import says
from tests.frameworks.shop import LOOK, PAY, Shop
from tests.live._serving import until

import freezetag as ft
from freezetag.adapters.gates.langchain import gate_middleware

pytest.importorskip("langchain", reason="langchain is not installed: make frameworks")
pytestmark = pytest.mark.filterwarnings("ignore")


def graph(shop: Shop, heard: list[str], *turns: Any, **handled: Any) -> Any:
    """A model and a tool node, in a graph made by hand."""
    from langchain_core.tools import tool
    from langgraph.graph import MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    wrap = gate_middleware(shop.gate)
    tools = ToolNode(
        [tool(each) for each in shop.tools()],
        wrap_tool_call=wrap.wrap_tool_call,
        awrap_tool_call=wrap.awrap_tool_call,
        **handled,
    )
    chat = model(says(*turns), heard)
    made = StateGraph(MessagesState)
    made.add_node("model", lambda state: {"messages": [chat.invoke(state["messages"])]})
    made.add_node("tools", tools)
    made.set_entry_point("model")
    made.add_conditional_edges("model", tools_condition)
    made.add_edge("tools", "model")
    return made.compile()


def test_a_tool_node_of_one_s_own() -> None:
    shop, heard = Shop(), list[str]()
    state = asyncio.run(graph(shop, heard, [PAY, LOOK], "enough").ainvoke(GO))
    assert (state["messages"][-1].content, heard) == ("enough", ["paid", "seen"])
    shop.gate.press("enough")
    for way in ("awaited", "blocking"):
        stopped = graph(shop, heard, [LOOK], "never said")
        with pytest.raises(ft.Refused, match="'tool look' is refused"):
            asyncio.run(stopped.ainvoke(GO)) if way == "awaited" else stopped.invoke(GO)


def test_a_tool_node_that_handles_errors_tells_the_model() -> None:
    shop, heard = Shop(), list[str]()
    shop.gate.press("enough")
    told = graph(shop, heard, [PAY], "I was stopped", handle_tool_errors=True)
    assert asyncio.run(told.ainvoke(GO))["messages"][-1].content == "I was stopped"
    assert "stopped by local: enough" in heard[0]
    assert shop.paid == []


def test_a_checkpoint_goes_on_at_the_refused_call_after_reset_and_start(tmp_path: Path) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    paid: list[int] = []

    async def pay(amount: int) -> str:
        """Pays an amount."""
        paid.append(amount)
        return "paid"

    with agent(tmp_path) as (remote, gate):
        script = says([PAY], "paid at last")
        clerk = LangChain(gate, [pay], script, checkpointer=InMemorySaver())
        assert remote.press("agent:writer", "enough")[0].state == "durable"
        until(lambda: not gate.is_open)
        with pytest.raises(ft.Refused):
            asyncio.run(clerk.run())
        with pytest.raises(ft.Refused):
            asyncio.run(clerk.agent.ainvoke(None, LONG))
        assert paid == []
        cleared(remote)
        assert gate.wait(5)
        state = asyncio.run(clerk.agent.ainvoke(None, LONG))
    assert paid == [1]
    assert state["messages"][-1].content == "paid at last"
