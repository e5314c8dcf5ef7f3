"""A gate in front of the tools of a Pydantic AI agent, as a capability or around one toolset.

    agent = Agent(model, tools=[pay], capabilities=[gate_capability(gate)])

Written for pydantic-ai 2.68. A closed gate ends the run with `Refused`; of a call that alone is
refused the model is told in words (`told=True`: of every refusal). An async tool is cancelled at a
stop; a sync one runs in a thread, and the stop is acknowledged when it has ended. A timeout of a
sync tool does not apply, since its thread would go on.

Caveat: tier 0. The capability sees every tool of its agent that runs here, MCP servers' too. It
sees no native tools, which run at the model's provider, and no output functions. An agent that a
tool runs has a capability of its own, or acts ungated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from freezetag.adapters.gates.tool_call import ToolCalls
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused


def gate_capability(gate: GateLike, *, told: bool = False, max_seconds: float | None = None) -> Any:
    """The capability that puts `gate` before every tool of an agent.

    Raises `UserError` without a gate, or where Pydantic AI is not installed.
    """
    calls = ToolCalls(gate, told, max_seconds)
    try:
        from pydantic_ai.capabilities import AbstractCapability
    except ImportError:
        raise _missing() from None

    class GateCapability(AbstractCapability):  # type: ignore[misc]
        def get_wrapper_toolset(self, toolset: Any) -> Any:
            return _around(calls, toolset)

    return GateCapability()


def gated_toolset(
    gate: GateLike, toolset: Any, *, told: bool = False, max_seconds: float | None = None
) -> Any:
    """`toolset` with `gate` before each of its tools, for an agent that has others beside it.

    Raises `UserError` without a gate, or where Pydantic AI is not installed.
    """
    return _around(ToolCalls(gate, told, max_seconds), toolset)


def _around(calls: ToolCalls, toolset: Any) -> Any:
    try:
        from pydantic_ai.toolsets import WrapperToolset
    except ImportError:
        raise _missing() from None

    @dataclass
    class GatedToolset(WrapperToolset):  # type: ignore[misc]
        async def call_tool(self, name: str, tool_args: Any, ctx: Any, tool: Any) -> Any:
            in_thread = _in_thread(tool)
            if in_thread:  # a timeout would leave the thread to itself
                tool = replace(tool, tool_def=replace(tool.tool_def, timeout=math.inf))

            async def body() -> Any:
                return await self.wrapped.call_tool(name, tool_args, ctx, tool)

            try:
                return await calls.wait(name, ctx.tool_call_id, body, in_thread=in_thread)
            except Refused as refused:
                return calls.words(refused)

    return GatedToolset(toolset)


def _in_thread(tool: Any) -> bool:
    """Whether the tool is surely a function that blocks, under whatever toolsets stand around."""
    while (inner := getattr(tool, "source_tool", None)) is not None:
        tool = inner
    return getattr(tool, "is_async", True) is False


def _missing() -> UserError:
    return UserError(
        "Pydantic AI is not installed. Install it: pip install 'freezetag[pydantic-ai]'."
    )
