"""The scripted agent in Pydantic AI, by capability, or with one toolset behind the gate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, final

from tests.frameworks.scripted import Script

from freezetag.adapters.gates.pydantic_ai import gate_capability, gated_toolset


@final
class PydanticAI:
    library = "pydantic_ai"

    def __init__(
        self,
        gate: Any,
        tools: Sequence[Callable[..., Any]],
        script: Script,
        *,
        as_toolset: bool = False,
        **options: Any,
    ) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.toolsets import FunctionToolset

        self.heard: list[str] = []
        made = model(script, self.heard)
        if as_toolset:
            toolset = FunctionToolset(list(tools))
            self.agent = Agent(made, toolsets=[gated_toolset(gate, toolset, **options)])
        else:
            guards = [] if gate is None else [gate_capability(gate, **options)]
            self.agent = Agent(made, tools=list(tools), capabilities=guards)

    async def run(self, *, stream: bool = False) -> str:
        from pydantic_ai.usage import UsageLimits

        free = UsageLimits(request_limit=None)
        if not stream:
            return str((await self.agent.run("go", usage_limits=free)).output)
        async with self.agent.run_stream("go", usage_limits=free) as result:
            return str(await result.get_output())

    def run_sync(self) -> str:
        from pydantic_ai.usage import UsageLimits

        free = UsageLimits(request_limit=None)
        with asyncio.Runner() as runner:  # the library would leave a loop of its own open
            asyncio.set_event_loop(runner.get_loop())
            try:
                return str(self.agent.run_sync("go", usage_limits=free).output)
            finally:
                asyncio.set_event_loop(None)


def model(script: Script, heard: list[str]) -> Any:
    """The library's own function model, following the script."""
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel

    turn = -1

    def said(messages: Any) -> Any:
        nonlocal turn
        turn += 1
        parts = [part for message in messages for part in message.parts]
        heard[:] = [str(part.content) for part in parts if isinstance(part, ToolReturnPart)]
        return script(turn)

    def answer(messages: Any, info: Any) -> Any:
        words = said(messages)
        if isinstance(words, str):
            return ModelResponse(parts=[TextPart(words)])
        return ModelResponse(
            parts=[
                ToolCallPart(name, arguments, tool_call_id=f"call {turn}.{n}")
                for n, (name, arguments) in enumerate(words)
            ]
        )

    async def stream(messages: Any, info: Any) -> AsyncIterator[Any]:
        words = said(messages)
        if isinstance(words, str):
            yield words
            return
        for n, (name, arguments) in enumerate(words):
            call = DeltaToolCall(name, json.dumps(arguments), tool_call_id=f"call {turn}.{n}")
            yield {n: call}

    return FunctionModel(answer, stream_function=stream)
