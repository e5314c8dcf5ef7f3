"""Who failed: the agent, which fails its card, or a classmate, which does not."""

from __future__ import annotations

from typing import Any

import pytest

from freezetag.core.probe import NOT_MEASURED
from freezetag.exam.examine import examine
from freezetag.exam.run import Runner
from freezetag.sim.foreign import AgentFailed


@pytest.mark.parametrize(
    ("culprit", "own"), [("tit_for_tat", True), ("rrps:greenberg", False), ("", False)]
)
def test_a_classmate_that_crashes_is_not_the_agents_failure(
    monkeypatch: pytest.MonkeyPatch, culprit: str, own: bool
) -> None:
    def fails(*_: Any) -> Any:
        raise AgentFailed("raised", agent=culprit, step=4)

    monkeypatch.setattr(Runner, "probe", fails)
    found = examine("tit_for_tat", seed=1, probes=("lock_in",), size=0.05)
    (section,) = found.card.sections
    assert section.verdict == NOT_MEASURED
    assert section.error is own
    assert section.reason == ("raised" if own else "a classmate failed: raised")
    assert found.verdict == ("fail" if own else "inconclusive")
