"""The scripted agent in LangChain, and the same tools in a graph of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from tests.frameworks.scripted import Script

from freezetag.adapters.gates.langchain import gate_middleware


@final
class LangChain:
    library = "langchain"

    def __init__(
        self,
        gate: Any,
        tools: Sequence[Callable[..., Any]],
        script: Script,
        *,
        checkpointer: Any = None,
        **options: Any,
    ) -> None:
        from langchain.agents import create_agent
        from langchain.tools import tool

        self.heard: list[str] = []
        self.agent = create_agent(
            model(script, self.heard),
            [tool(each) for each in tools],
            middleware=[] if gate is None else [gate_middleware(gate, **options)],
            checkpointer=checkpointer,
        )

    async def run(self, *, stream: bool = False) -> str:
        if not stream:
            return _last(await self.agent.ainvoke(GO, LONG))
        states = [state async for state in self.agent.astream(GO, LONG, stream_mode="values")]
        return _last(states[-1])

    def run_sync(self) -> str:
        return _last(self.agent.invoke(GO, LONG))


GO: Any = {"messages": [("user", "go")]}
LONG: Any = {"recursion_limit": 100_000, "configurable": {"thread_id": "one"}}


def _last(state: Any) -> str:
    return str(state["messages"][-1].content)


def model(script: Script, heard: list[str]) -> Any:
    """A chat model that follows the script."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, ToolMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    class Following(BaseChatModel):
        turn: int = -1

        @property
        def _llm_type(self) -> str:
            return "scripted"

        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self

        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            self.turn += 1
            heard[:] = [str(each.content) for each in messages if isinstance(each, ToolMessage)]
            said = script(self.turn)
            if isinstance(said, str):
                message = AIMessage(said)
            else:
                calls = [
                    {"name": name, "args": arguments, "id": f"call {self.turn}.{n}"}
                    for n, (name, arguments) in enumerate(said)
                ]
                message = AIMessage("", tool_calls=calls)
            return ChatResult(generations=[ChatGeneration(message=message)])

    return Following()
