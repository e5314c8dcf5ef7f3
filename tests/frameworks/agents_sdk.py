"""The scripted agent in the OpenAI Agents SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, final

from tests.frameworks.scripted import Script

from freezetag.adapters.gates.agents_sdk import gated_tools


@final
class AgentsSdk:
    library = "agents"

    def __init__(
        self,
        gate: Any,
        tools: Sequence[Callable[..., Any]],
        script: Script,
        *,
        name: str = "clerk",
        handoffs: Sequence[Any] = (),
        **options: Any,
    ) -> None:
        from agents import Agent, FunctionTool, function_tool

        made = [
            # Without a function for failures, an agent that a tool runs ends as it would anywhere.
            each
            if isinstance(each, FunctionTool)
            else function_tool(each, failure_error_function=None)
            for each in tools
        ]
        self.heard: list[str] = []
        self.agent = Agent(
            name=name,
            model=model(script, self.heard, name),
            tools=made if gate is None else gated_tools(gate, made, **options),
            handoffs=list(handoffs),
        )

    async def run(self, *, stream: bool = False) -> str:
        from agents import RunConfig, Runner

        settings = {"max_turns": None, "run_config": RunConfig(tracing_disabled=True)}
        if not stream:
            return str((await Runner.run(self.agent, "go", **settings)).final_output)
        result = Runner.run_streamed(self.agent, "go", **settings)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    def run_sync(self) -> str:
        return asyncio.run(self.run())


def model(script: Script, heard: list[str], name: str) -> Any:
    """A model of the SDK that follows the script; a call of a tool `transfer_to_X` hands over."""
    from agents import Model, ModelResponse, Usage
    from openai.types.responses import (
        Response,
        ResponseCompletedEvent,
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )

    class Following(Model):
        turn = -1

        def output(self, given: Any) -> list[Any]:
            self.turn += 1
            if isinstance(given, list):
                heard[:] = [
                    str(each["output"]) for each in given if each.get("type") == FUNCTION_OUTPUT
                ]
            said = script(self.turn)
            if isinstance(said, str):
                text = ResponseOutputText(text=said, type="output_text", annotations=[])
                return [
                    ResponseOutputMessage(
                        id="m",
                        type="message",
                        role="assistant",
                        status="completed",
                        content=[text],
                    )
                ]
            return [
                ResponseFunctionToolCall(
                    call_id=f"{name} {self.turn}.{n}",
                    name=tool,
                    arguments=json.dumps(arguments),
                    type="function_call",
                )
                for n, (tool, arguments) in enumerate(said)
            ]

        async def get_response(self, *args: Any, **kwargs: Any) -> Any:
            given = kwargs.get("input", args[1] if len(args) > 1 else None)
            return ModelResponse(output=self.output(given), usage=Usage(), response_id=None)

        async def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            given = kwargs.get("input", args[1] if len(args) > 1 else None)
            response = Response(
                id="r",
                created_at=0,
                model="scripted",
                object="response",
                output=self.output(given),
                tool_choice="auto",
                tools=[],
                parallel_tool_calls=True,
            )
            yield ResponseCompletedEvent(
                response=response, type="response.completed", sequence_number=0
            )

    return Following()


FUNCTION_OUTPUT = "function_call_output"
