"""What the OpenAI Agents SDK alone has: handing over, agents as tools, tools that run elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from tests.frameworks.agents_sdk import AgentsSdk, model
from tests.frameworks.scripted import says
from tests.frameworks.shop import PAY, Shop

import freezetag as ft
from freezetag.adapters.gates.agents_sdk import gated_tools

agents = pytest.importorskip("agents", reason="agents is not installed: make frameworks")
pytestmark = pytest.mark.filterwarnings("ignore")
HAND_OVER = ("transfer_to_payer", {})


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_that_is_handed_to_has_its_own_gated_tools(stream: bool) -> None:
    shop = Shop()
    payer = AgentsSdk(shop.gate, shop.tools(), says([PAY], "paid for you"), name="payer")
    clerk = AgentsSdk(None, [], says([HAND_OVER]), handoffs=[payer.agent])
    assert asyncio.run(clerk.run(stream=stream)) == "paid for you"
    assert shop.paid == [1]
    shop.gate.press("enough")
    clerk = AgentsSdk(None, [], says([HAND_OVER]), handoffs=[payer.agent])
    payer.agent.model = model(says([PAY], "never said"), [], "payer")
    with pytest.raises(ft.Refused, match="'tool pay' is refused"):
        asyncio.run(clerk.run(stream=stream))
    assert shop.paid == [1]


def test_an_agent_as_a_tool_turns_its_end_into_words_for_its_caller() -> None:
    shop = Shop()
    shop.gate.press("enough")
    payer = AgentsSdk(shop.gate, shop.tools(), says([PAY], "never said"), name="payer")
    tool = payer.agent.as_tool("payer", "Pays.")
    clerk = AgentsSdk(None, [tool], says([("payer", {"input": "go"})], "it could not pay"))
    assert asyncio.run(clerk.run()) == "it could not pay"
    assert shop.paid == []
    # With its tools behind the gate too, the caller is stopped as well.
    clerk = AgentsSdk(shop.gate, [tool], says([("payer", {"input": "go"})], "never said"))
    with pytest.raises(ft.Refused, match="'tool payer' is refused"):
        asyncio.run(clerk.run())


def test_what_ends_the_run_is_the_sdk_s_too() -> None:
    shop = Shop()
    shop.gate.press("enough")
    with pytest.raises(agents.AgentsException) as raised:
        asyncio.run(AgentsSdk(shop.gate, shop.tools(), says([PAY])).run())
    assert isinstance(raised.value, ft.Refused)
    assert raised.value.run_data is not None


def test_a_tool_that_runs_elsewhere_cannot_be_gated() -> None:
    with pytest.raises(ft.UserError, match=r"'web_search' cannot be gated: a WebSearchTool"):
        gated_tools(Shop().gate, [agents.WebSearchTool()])


def test_the_tools_given_are_left_as_they_are() -> None:
    tool = agents.function_tool(Shop().tools()[0])
    invoke = tool.on_invoke_tool
    (gated,) = gated_tools(Shop().gate, [tool])
    assert gated is not tool
    assert tool.on_invoke_tool is invoke
    assert (gated.name, gated.params_json_schema) == (tool.name, tool.params_json_schema)
