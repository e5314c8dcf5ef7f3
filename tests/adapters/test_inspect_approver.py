"""The approver in a real evaluation of Inspect AI, offline; its tool writes the effects."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from freezetag.adapters.gates.inspect_ai import gate_approver
from freezetag.core import Panel, UserError
from freezetag.core.journal import Journal, read
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

INSTALLED = importlib.util.find_spec("inspect_ai") is not None
needs_inspect = pytest.mark.skipif(
    not INSTALLED, reason="inspect-ai is not installed: pip install 'freezetag[inspect]'"
)


def run(gate: Gate, log_dir: Path, effects: list[int], stop_after: int) -> Any:
    """One sample: a scripted model that calls `pay` eight times, and a stop after some calls."""
    from inspect_ai import Task, eval
    from inspect_ai.approval import ApprovalPolicy
    from inspect_ai.dataset import Sample
    from inspect_ai.model import (
        GenerateConfig,
        ModelAPI,
        ModelOutput,
        get_model,
        modelapi,
    )
    from inspect_ai.solver import generate, use_tools
    from inspect_ai.tool import Tool, tool

    @modelapi(name="scripted")
    def scripted() -> type[ModelAPI]:
        class Scripted(ModelAPI):
            async def count_text_tokens(self, text: str) -> int:
                return len(text)  # the default fetches a tokenizer

            async def generate(
                self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig
            ) -> ModelOutput:
                paid = sum(message.role == "tool" for message in input)
                if paid == 8:
                    return ModelOutput.from_content("scripted", "enough")
                return ModelOutput.for_tool_call("scripted", "pay", {"amount": paid})

        return Scripted

    @tool
    def pay() -> Tool:
        async def execute(amount: int) -> str:
            """Pay.

            Args:
                amount: how much
            """
            effects.append(amount)
            if len(effects) == stop_after:
                gate.press("test")
            return "paid"

        return execute

    task = Task(
        dataset=[Sample(input="go")],
        solver=[use_tools(pay()), generate()],
        approval=[ApprovalPolicy(gate_approver(gate), "*")],
    )
    model = get_model("scripted/x")
    (log,) = eval(task, model=model, log_dir=str(log_dir), display="none")
    return log


@needs_inspect
@pytest.mark.filterwarnings("ignore")
def test_calls_pass_until_the_stop_and_then_the_sample_is_terminated(tmp_path: Path) -> None:
    lines: list[bytes] = []
    gate = Gate(Panel(), clock=SteppedClock(), enrolments=(), journal=Journal(lines.append))
    effects: list[int] = []
    log = run(gate, tmp_path, effects, stop_after=3)
    assert effects == [0, 1, 2]
    (sample,) = log.samples
    assert sample.limit is not None
    assert sample.limit.type == "operator", "the sample went on"
    approvals = [event for event in sample.events if event.event == "approval"]
    assert [event.decision for event in approvals] == ["approve"] * 3 + ["terminate"]
    assert "stopped by local: test" in approvals[-1].explanation
    kinds = [entry["kind"] for entry in read(lines) if entry["kind"] in ("begin", "refused")]
    assert kinds == ["begin"] * 3 + ["refused"]


@needs_inspect
@pytest.mark.filterwarnings("ignore")
def test_an_open_gate_changes_nothing(tmp_path: Path) -> None:
    effects: list[int] = []
    log = run(Gate(Panel(), clock=SteppedClock(), enrolments=()), tmp_path, effects, stop_after=0)
    assert log.status == "success"
    assert effects == list(range(8))


def test_without_inspect_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai.approval", None)
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(UserError, match=r"freezetag\[inspect\]"):
        gate_approver(Gate(Panel(), clock=SteppedClock(), enrolments=()))
