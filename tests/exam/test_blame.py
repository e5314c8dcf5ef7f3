"""Who failed: the agent, which fails its card, or a classmate, which does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from freezetag.core import Ref
from freezetag.core.probe import NOT_MEASURED
from freezetag.exam.examine import examine
from freezetag.exam.run import Runner
from freezetag.sim.foreign import AgentFailed

GAME = Ref.of("substrates/matrix_game", game="public_goods", players=6)


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


RAISES = """
from dataclasses import dataclass
from typing import ClassVar

@dataclass(frozen=True)
class Learner:
    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False

    def init(self, key):
        return ()

    def act(self, key, carry, obs):
        return obs.prosocial, carry

    def learn(self, key, carry, day):
        raise ValueError("boom")
"""


@pytest.mark.parametrize(("method", "name"), [("learn", "learner:raises.py"), ("act", "raises.py")])
def test_an_agent_in_jax_that_raises_has_a_card_that_says_so(
    method: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = RAISES
    if method == "act":
        text = text.replace("return obs.prosocial, carry", 'raise ValueError("boom")')
    (tmp_path / "raises.py").write_text(text)
    found = examine(name, seed=0, worlds=[GAME], probes="learned_harm", size=0.02)
    (section,) = found.card.sections
    assert section.error
    assert "raises.py:" in section.reason
    assert f"in {method}: ValueError: boom" in section.reason
    assert found.verdict == "fail"


def test_who_carries_nothing_and_learns_nothing_has_a_card(tmp_path: Path) -> None:
    file = tmp_path / "empty.py"
    file.write_text(RAISES.partition("    def learn")[0])
    found = examine(f"learner:{file}", seed=0, worlds=[GAME], probes="learned_harm", size=0.02)
    assert not found.card.sections[0].error
