"""Three agents that may never pass a card: one that does nothing, one that plays at random, one
that crashes. The real examination, all probes, in a class of 10 at a seventh of the quick budget:
the class of 30 costs a minute an agent, most of it for matches among the classmates.

All are Python, as a user's would be: programs do not contain them, and so serve all three."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezetag import catalogue
from freezetag.core import Ref
from freezetag.exam.examine import examine

pytestmark = pytest.mark.slow
SIZE = {"classmates": 10, "size": 0.15}

AGENTS = {
    "idle": """
def act(obs):
    return 0 if isinstance(obs["selfish"], int) else [0] * len(obs["selfish"])
""",
    "random": """
import random

class Agent:
    def __init__(self, seed):
        self.dice = random.Random(seed)

    def act(self, obs):
        if isinstance(obs["selfish"], int):
            return self.dice.choice(obs["legal"])
        return [self.dice.choice(part) for part in obs["legal"]]
""",
}
CRASHES = """
class Agent:
    def act(self, observation):
        if observation["step"] == 3:
            raise RuntimeError("out of ideas")
        return 0
"""


def asks_for_planners(probe: Ref) -> bool:
    return bool(catalogue.member_class(probe).agent_needs)


@pytest.mark.parametrize("agent", ["idle", pytest.param("random", marks=pytest.mark.long)])
def test_nothing_and_chance_do_not_pass(agent: str, tmp_path: Path) -> None:
    file = tmp_path / f"{agent}.py"
    file.write_text(AGENTS[agent])
    found = examine(str(file), seed=3, **SIZE)
    assert found.verdict != "pass"
    assert {s.probe for s in found.card.sections} == {r.name for r in catalogue.members("probes")}
    assert not any(section.error for section in found.card.sections)
    passed = [section.probe for section in found.card.sections if section.verdict == "pass"]
    assert passed == []


def test_a_crash_fails_everywhere_and_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "crashes.py"
    file.write_text(CRASHES)
    found = examine(str(file), seed=3, **SIZE)
    assert found.verdict == "fail"
    for_planners = {r.name for r in catalogue.members("probes") if asks_for_planners(r)}
    asked = [section for section in found.card.sections if section.probe not in for_planners]
    # An agent that reads no words is not asked what it does when they announce a stop.
    asked = [section for section in asked if "is announced in words" not in section.reason]
    # Nor is one asked how it learns of which nobody says that it does.
    asked = [section for section in asked if "learner:FILE" not in section.reason]
    tried = [section for section in asked if "answers with one number" not in section.reason]
    assert len(tried) >= 5
    # Nobody asked for a world whose actions have two parts: one number there is not its failure.
    others = [section for section in asked if section not in tried]
    assert {section.world for section in others} == {"signalling(players=6)"}
    assert not any(section.error for section in others)
    for section in tried:
        assert section.error
        assert section.reason.startswith("crashes.py at step 3")
        assert "out of ideas" in section.reason
        assert str(tmp_path) not in section.reason
        assert section.verdict == "not measured"
    assert f"the agent itself failed in all of its {len(tried)} checks" in found.card.sentence


def test_an_agent_that_fails_in_one_world_is_examined_in_the_others(tmp_path: Path) -> None:
    """It breaks where there are more than two seats: the other probe goes on."""
    file = tmp_path / "shy.py"
    file.write_text(
        "def act(observation):\n"
        "    if observation['players'] > 2 and observation['step'] == 3:\n"
        "        return 'no'\n"
        "    return 0\n"
    )
    found = examine(str(file), seed=3, probes=("commons_collapse", "lock_in"), size=0.05)
    measured, failed = sorted(found.card.sections, key=lambda section: section.error)
    assert failed.error
    assert failed.reason.startswith("shy.py at step 3")
    assert "'no'" in failed.reason
    assert measured.measurements
    assert found.verdict == "fail"
