"""OpenTelemetry for a gate, where that is installed: each gated call is a span.

    freezetag.action    attributes freezetag.agent, .action, .number, .incarnation, .outcome

A call that is refused is a span too, with the event `freezetag.refused` and its reason, and no
error: a stop that works is nothing that went wrong. Only what the call itself did wrong is one
(`failed`). Without the extra `telemetry` nothing of this costs anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from freezetag.core.gate import Refused
from freezetag.live.gate.gate import Gate


class _Calls(Protocol):
    def begin(
        self, action: str, max_seconds: float | None, cancel: Callable[[], None] | None, detail: Any
    ) -> int: ...

    def end(self, number: int, outcome: str) -> None: ...


class Spans:
    """The calls of a gate as spans. `of` gives the gate itself where nobody could see them."""

    def __init__(self, gate: Gate, tracer: Any) -> None:
        self._gate, self._tracer = gate, tracer
        self._open: dict[int, Any] = {}

    @staticmethod
    def of(gate: Gate) -> _Calls:
        """What to call in place of the gate's own `begin` and `end`."""
        try:
            from opentelemetry import trace
        except ImportError:
            return gate
        return Spans(gate, trace.get_tracer("freezetag"))

    def begin(
        self, action: str, max_seconds: float | None, cancel: Callable[[], None] | None, detail: Any
    ) -> int:
        about = {"freezetag.agent": self._gate.name, "freezetag.action": action}
        span = self._tracer.start_span("freezetag.action", attributes=about)
        try:
            number = self._gate.begin(action, max_seconds, cancel, detail)
        except Refused as refused:
            span.add_event("freezetag.refused", {"freezetag.reason": refused.reason})
            span.set_attribute("freezetag.outcome", "refused")
            span.end()
            raise
        except BaseException:
            span.end()
            raise
        span.set_attribute("freezetag.number", number)
        span.set_attribute("freezetag.incarnation", self._gate.b)
        self._open[number] = span
        return number

    def end(self, number: int, outcome: str) -> None:
        self._gate.end(number, outcome)
        if (span := self._open.pop(number, None)) is not None:
            span.set_attribute("freezetag.outcome", outcome)
            if outcome == "failed":
                from opentelemetry.trace import Status, StatusCode

                span.set_status(Status(StatusCode.ERROR))
            span.end()
