"""A gate as an approver of Inspect AI: a refused tool call terminates the sample.

    task = Task(..., approval=[ApprovalPolicy(gate_approver(gate), "*")])

Written for inspect-ai 0.3.285. An approver, because exceptions in Inspect's hooks are swallowed.

Caveat: an approver sees a call before it runs and nothing of its end. What it admits is therefore
on the gate's record, but not in flight: a stop is acknowledged while an admitted tool may still
run. Tools that matter belong behind a gate of their own (`@gated`, or an MCP proxy).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused


def gate_approver(gate: GateLike) -> Any:
    """The approver: `approve` while `gate` admits, else `terminate` with the reason.

    Raises `UserError` where inspect-ai is not installed.
    """
    try:
        approval = import_module("inspect_ai.approval")
    except ImportError:
        raise UserError(
            "Inspect AI is not installed. Install it: pip install 'freezetag[inspect]'."
        ) from None

    @approval.approver(name="freezetag_gate")  # type: ignore[untyped-decorator]
    def made() -> Any:
        async def approve(message: str, call: Any, view: Any, history: list[Any]) -> Any:
            try:
                number = gate.begin(f"tool {call.function}", detail={"call": str(call.id)})
            except Refused as refused:
                trips = [f"{trip.interlock} {trip.sensor} {trip.kind}" for trip in refused.trips]
                return approval.Approval(
                    decision="terminate",
                    explanation=str(refused),
                    metadata={"reason": refused.reason, "trips": trips},
                )
            gate.end(number)
            return approval.Approval(decision="approve", explanation=f"admitted as {number}")

        return approve

    return made()
