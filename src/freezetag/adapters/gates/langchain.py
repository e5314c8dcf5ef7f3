"""A gate in front of the tools of a LangChain agent, as middleware, or of LangGraph's `ToolNode`.

    agent = create_agent(model, [pay], middleware=[gate_middleware(gate)])
    wrap = gate_middleware(gate)
    node = ToolNode([pay], wrap_tool_call=wrap.wrap_tool_call, awrap_tool_call=wrap.awrap_tool_call)

Written for langchain 1.5 and langgraph 1.2. A closed gate ends the run with `Refused`; with a
checkpointer, the same thread goes on at the refused call once the agent was started again. Of a
call that alone is refused the model is told in words (`told=True`: of every refusal). In an async
run an async tool is cancelled at a stop; a sync tool runs in a thread, and the stop is
acknowledged when it has ended.

Caveat: tier 0. It sees the tools that this agent's node runs, not those that run at the model's
provider, nor what other nodes of a graph do. A graph that a tool runs has middleware of its own, or
acts ungated. A `ToolNode` with `handle_tool_errors=True`, and middleware outside this one that
catches errors, tell the model of a stop where it would have ended the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from freezetag.adapters.gates.tool_call import ToolCalls
from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused


def gate_middleware(gate: GateLike, *, told: bool = False, max_seconds: float | None = None) -> Any:
    """The middleware that puts `gate` before every tool of an agent, sync and async.

    Raises `UserError` without a gate, or where LangChain is not installed.
    """
    calls = ToolCalls(gate, told, max_seconds)
    try:
        from langchain.agents.middleware import AgentMiddleware
        from langchain_core.messages import ToolMessage
        from langchain_core.tools import BaseTool
    except ImportError:
        raise UserError(
            "LangChain is not installed. Install it: pip install 'freezetag[langchain]'."
        ) from None

    def told_of(refused: Refused, call: Any) -> Any:
        text = calls.words(refused)
        return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")

    def in_thread(tool: Any) -> bool:
        if hasattr(tool, "coroutine"):
            return tool.coroutine is None
        return isinstance(tool, BaseTool) and type(tool)._arun is BaseTool._arun

    class GateMiddleware(AgentMiddleware):  # type: ignore[misc]
        def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            call = request.tool_call
            try:
                return calls.run(call["name"], call["id"], lambda: handler(request))
            except Refused as refused:
                return told_of(refused, call)

        async def awrap_tool_call(
            self, request: Any, handler: Callable[[Any], Awaitable[Any]]
        ) -> Any:
            call, blocks = request.tool_call, in_thread(request.tool)
            try:
                return await calls.wait(
                    call["name"], call["id"], lambda: handler(request), in_thread=blocks
                )
            except Refused as refused:
                return told_of(refused, call)

    return GateMiddleware()
