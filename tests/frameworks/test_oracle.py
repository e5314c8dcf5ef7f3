"""An outside oracle: a file of effects, a press over the wire, and nothing after the stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.frameworks.oracle import runs
from tests.frameworks.scripted import Framework
from tests.frameworks.shop import every_framework, need_one

from freezetag.adapters.gates.tool_call import ToolCalls

need_one()
RUNS = 5  # `make long` runs 200

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


@every_framework
def test_nothing_takes_effect_after_the_acknowledgement(made: Framework) -> None:
    results = runs(made, range(RUNS), seed=0)
    assert len(results) == RUNS, "after each reset and start it ran again"
    assert sum(each.before for each in results) > 0
    assert [each.after for each in results] == [0] * RUNS


@every_framework
def test_a_gate_that_believes_a_cancelled_thread_is_caught(
    made: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = ToolCalls.wait

    async def careless(
        self: ToolCalls,
        tool: str,
        call: str | None,
        body: Callable[[], Awaitable[Any]],
        **ignored: bool,
    ) -> Any:
        return await wait(self, tool, call, body)

    monkeypatch.setattr(ToolCalls, "wait", careless)
    assert sum(each.after for each in runs(made, range(2), seed=3, longest=0.5)) > 0
