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
from freezetag.exam.population import must_sit, named, population
from freezetag.exam.resolve import UnknownAgent, agent_ref, resolve, schemes
from freezetag.exam.spec import Spec
from freezetag.players.learners.ppo import Ppo
from freezetag.sim.foreign import Foreign
from freezetag.sim.workers import Cache
from freezetag.sweep.agents import agents_named

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
        ("learner:pppo", "Did you mean learner:ppo"),
        ("learner:lola", r"no agent called 'lola'\. Did you mean learner:lola_"),
        ("learner:nosuch", r"no agent called 'nosuch'\. Those that do: .*ppo.*my_trainer\.py"),
        ("learner:", "names nobody: write learner:NAME. Those that do: .*ppo"),
        (
            "learner:llm:any@http://127.0.0.1:9",
            r"^llm:any@.* does not learn .*`freezetag examine llm",
        ),
        ("learner:inspect:openai/any", "^inspect:openai/any does not learn"),
        ("learner:axelrod:Grudger", "^axelrod:Grudger does not learn"),
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
    assert agent_ref("learner:my_trainer.py") == agent_ref("my_trainer.py")
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


def test_as_a_classmate_it_is_the_agent_behind_the_colon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_trainer.py").write_text(TRAINER)
    assert agent_ref(" learner:ppo(rate=0.5)") == Ref.of("players/learners/ppo", rate=0.5)
    found = population(("learner:ppo", "learner:my_trainer.py", "learner:q_learning as mine"))
    assert found == (
        Ref("players/learners/ppo"),
        Ref("python_file:my_trainer.py"),
        Ref("players/learners/q_learning", kin="mine"),
    )
    assert named("learner:ppo, learner:my_trainer.py") == ("players/learners/ppo", "my_trainer.py")
    with Cache() as cache, pytest.raises(UnknownAgent, match="paid by the call"):
        must_sit(population(("learner:llm:any@http://127.0.0.1:9",)), cache)
    with pytest.raises(UnknownAgent, match=r"--classmates: .*Did you mean learner:lola_"):
        population(("learner:lola",))


def test_a_sweep_tells_how_an_agent_learns_from_how_it_acts() -> None:
    assert agents_named(("ppo", "learner:ppo", "learner: ppo")) == ("ppo", "learner:ppo")
    with pytest.raises(UnknownAgent, match="does not learn"):
        agents_named(("learner:tit_for_tat",))


FLAT = "def act(obs):\n    return obs['prosocial']\n"
LOCKED = f"import threading\n{TRAINER}".replace("= 0", "= 0\n        self.lock = LOCK", 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FLAT, r"mine\.py has no learn\(day\).* `freezetag examine mine\.py` examines it"),
        (f"{FLAT}def learn(day):\n    pass\n", r"has no learn\(day\).*, a method beside act"),
        (LOCKED.replace("LOCK", "threading.Lock()"), r"cannot be copied.* save\(\) -> bytes"),
    ],
)
def test_a_file_of_which_no_day_could_be_kept_is_refused_before_it_plays(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text)
    with pytest.raises(UnknownAgent, match=said):
        examine("learner:mine.py", probes=[PROBE], worlds=[WORLD], classmates=2, size=0.02)


def test_who_saves_itself_may_keep_what_cannot_be_copied_and_need_to_have_acted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = LOCKED.replace("LOCK", "threading.Lock()").replace(
        "obs):", "obs):\n        self.acted = True", 1
    )
    own += """
    def save(self):
        return bytes([self.acted, self.nights])

    def load(self, state):
        self.acted, self.nights = map(int, state)
"""
    Path("mine.py").write_text(own)
    done = examine("learner:mine.py", probes=[PROBE], worlds=[WORLD], classmates=2, size=0.02)
    (section,) = done.card.sections
    (headline,) = [row for row in section.measurements if row.headline]
    assert headline.of.value == 3
