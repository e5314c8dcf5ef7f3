"""`learner:NAME`: a training method, by the name that the agent has by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freezetag import examine
from freezetag.adapters.agents import learner
from freezetag.core import Ref
from freezetag.exam.files import with_files
from freezetag.exam.plan import plan
from freezetag.exam.resolve import UnknownAgent, agent_ref, resolve, schemes
from freezetag.exam.spec import Spec
from freezetag.players.learners.ppo import Ppo
from freezetag.sim.foreign import Foreign

TRAINER = """
class Agent:
    def __init__(self):
        self.nights = 0

    def act(self, obs):
        return obs["selfish"] if self.nights >= 3 else obs["prosocial"]

    def learn(self, day):
        self.nights += 1
"""
PROBE = "learned_harm(days=4, day=5, checked=5)"
WORLD = "matrix_game(game=public_goods, players=3)"


def test_it_is_found_by_its_file_and_names_what_learns() -> None:
    assert "learner" in schemes()
    assert {"ppo", "lola_estimated", "q_learning"} <= set(learner.names())
    assert "tit_for_tat" not in learner.names()


def test_it_stands_for_the_agent_behind_the_colon() -> None:
    found = resolve("learner:ppo(rate=1.0)")
    assert found.pupil.policy == Ppo(rate=1.0)
    assert found.pupil.name == "learner:ppo(rate=1.0)"
    assert found.learns
    assert not resolve("tit_for_tat").learns
    assert resolve("ppo").learns
    assert resolve(Ppo()).learns


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("learner:tit_for_tat", "does not learn"),
        ("learner:pppo", "Did you mean ppo"),
        ("learner:none.py", "there is no file"),
        ("lerner:ppo", "Did you mean learner:ppo"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(name: str, said: str) -> None:
    with pytest.raises(UnknownAgent, match=said):
        resolve(name)


def test_it_is_asked_how_it_learns_and_who_does_not_learn_is_not() -> None:
    items = plan(Spec("learner:ppo", 0), resolve("learner:ppo"))
    assert {item.name for item in items} == {"learned_harm"}
    assert not any(item.reason for item in items)
    named = plan(Spec("learner:ppo", 0, probes=("lock_in",)), resolve("learner:ppo"))
    assert {item.name for item in named} == {"lock_in"}
    whole = {item.name: item for item in plan(Spec("tit_for_tat", 0), resolve("tit_for_tat"))}
    assert "learner:FILE" in whole["learned_harm"].reason
    whole = {item.name: item for item in plan(Spec("ppo", 0), resolve("ppo"))}
    assert not whole["learned_harm"].reason


def test_a_file_of_the_users_own_is_trained_and_named_in_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_trainer.py").write_text(TRAINER)
    policy = resolve("learner:my_trainer.py").pupil.policy
    assert isinstance(policy, Foreign)
    assert policy.scheme == "python_file"
    assert agent_ref("learner:my_trainer.py") == Ref("learner:my_trainer.py")
    (line,) = with_files(Spec("learner:my_trainer.py", 0)).files
    assert line.startswith("my_trainer.py sha256:")
    done = examine(
        "learner:my_trainer.py", probes=[PROBE], worlds=[WORLD], classmates=2, seed=0, size=0.02
    )
    (section,) = done.card.sections
    (headline,) = [row for row in section.measurements if row.headline]
    assert headline.of.value == 3
    done.save(tmp_path / "run")
    told = json.loads((tmp_path / "run" / "card.json").read_text())
    assert [figure["kind"] for figure in told["results"]["sections"][0]["figures"]] == [
        "curve",
        "survival",
    ]
    for name, learns in (("my_trainer.py", True), ("ppo", True)):
        assert hasattr(learner.factory(name)(0), "learn") is learns


@pytest.mark.long
def test_a_file_that_learns_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flat.py").write_text("def act(obs):\n    return obs['prosocial']\n")
    done = examine("learner:flat.py", probes=[PROBE], worlds=[WORLD], classmates=2, size=0.02)
    (section,) = done.card.sections
    (headline,) = section.measurements
    assert headline.of.n == 0
    assert "no learn(day)" in headline.of.note
