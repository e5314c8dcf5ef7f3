"""A gate in front of the function tools of the OpenAI Agents SDK.

    agent = Agent(name="clerk", tools=gated_tools(gate, [pay, look_up]))

Written for openai-agents 0.24. Tools are wrapped one by one, because nothing in the SDK stands
before every call of a run and can withhold it. A closed gate ends the run with `Refused`; of a call
that alone is refused the model is told in words (`told=True`: of every refusal). An async tool is
cancelled at a stop; a sync one runs in a thread, and the stop is acknowledged when it has ended.

Caveat: tier 0. Each agent of a run, also one that is handed to, has tools of its own: gate them
all. Nothing here sees tools that run at the model's provider, or `mcp_servers` (guard the server
instead). An agent as a tool turns what ends its run into words for its caller, unless it was made
with `failure_error_function=None`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from freezetag.adapters.gates.tool_call import ToolCalls
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused


def gated_tools(
    gate: GateLike,
    tools: Sequence[Any],
    *,
    told: bool = False,
    max_seconds: float | None = None,
) -> list[Any]:
    """Copies of `tools` with `gate` before each.

    Raises `UserError` without a gate, for a tool that is not a `FunctionTool` and so cannot be
    gated here, or where the SDK is not installed.
    """
    calls = ToolCalls(gate, told, max_seconds)
    try:
        from agents import AgentsException, FunctionTool
    except ImportError:
        raise UserError(
            "The OpenAI Agents SDK is not installed. "
            "Install it: pip install 'freezetag[agents-sdk]'."
        ) from None

    class RunRefused(Refused, AgentsException):  # type: ignore[misc]
        """What ends the run: the SDK passes its own exceptions on as they are."""

    def gated(tool: Any) -> Any:
        if not isinstance(tool, FunctionTool):
            raise UserError(
                f"{getattr(tool, 'name', tool)!r} cannot be gated: a {type(tool).__name__} does "
                "not run as a function here. Leave it out, or give it to the agent ungated."
            )
        made = copy.copy(tool)
        invoke, in_thread = made.on_invoke_tool, _in_thread(made)

        async def on_invoke_tool(context: Any, arguments: str) -> Any:
            ident = getattr(context, "tool_call_id", None)
            try:
                return await calls.wait(
                    made.name, ident, lambda: invoke(context, arguments), in_thread=in_thread
                )
            except Refused as refused:
                try:
                    return calls.words(refused)
                except Refused:
                    raise RunRefused(refused.action, refused.reason, refused.trips) from None

        made.on_invoke_tool = on_invoke_tool
        return made

    return [gated(tool) for tool in tools]


def _in_thread(tool: Any) -> bool:
    """Whether the tool is surely a function that blocks."""
    import inspect

    function = getattr(tool, "__wrapped__", None)
    return function is not None and not inspect.iscoroutinefunction(function)
