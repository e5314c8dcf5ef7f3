"""What people hand over from Python: objects where names are, and what cannot be understood."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from tests.report import cards
from tests.workers.batch import batch

import freezetag as ft
from freezetag import cli
from freezetag.core import FOCAL, Arm, Ref, Scenario, UserError
from freezetag.exam.resolve import UnknownAgent, resolve
from freezetag.report import html
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.inside import Inside
from freezetag.sim.workers import Worker
from freezetag.substrates.commons import Commons

GAME = Ref("substrates/matrix_game")
WITH = Ref("players/reciprocators/tit_for_tat")


def played(agent: Any, days: int = 1, steps: int = 4) -> Any:
    pupil = agent if isinstance(agent, Pupil) else resolve(agent).pupil
    return run_arm(Arm(Scenario(GAME, (FOCAL, WITH), ((0, 1),), steps, days), 2), pupil, {}, 0)


class Net:
    """A policy in JAX with its weights, and no dataclass."""

    def __init__(self, weight: float) -> None:
        self.weights = np.full(3, weight, np.float32)

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(jnp.clip(self.weights.sum(), 0, 1)), ()


class LearningNet(Net):
    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        return carry


@dataclass(frozen=True)
class Table:
    """A dataclass with an array, which cannot be hashed and need not be."""

    weights: Any

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(self.weights.sum()), ()


def test_a_policy_that_is_no_dataclass_is_played_as_it_is() -> None:
    for weight, level in ((1.0, 1), (0.0, 0)):
        record = played(Net(weight))
        assert (record.episode.levels[:, :, 0] == level).all()
    assert (played(Table(np.zeros(2, np.float32))).episode.levels[:, :, 0] == 0).all()
    with pytest.raises(UserError, match=r"LearningNet has learn beside init and act"):
        resolve(LearningNet(1.0))


@pytest.mark.parametrize("call", [
    lambda: ft.class_of(31), lambda: ft.class_of(-1), lambda: ft.class_of("x"),
    lambda: ft.class_of(3, "1999.1"), lambda: ft.read_card("nofile"), lambda: ft.read_card("/"),
    lambda: ft.read_card(sys.executable),
])  # fmt: skip
def test_what_python_is_asked_wrongly_is_a_user_error(call: Any) -> None:
    with pytest.raises(ft.UserError) as said:
        call()
    assert str(said.value).endswith((".", "rosters` shows who sits on them."))


class Exits:
    def act(self, obs: Any) -> int:
        sys.exit(3)


class Waits:
    async def act(self, obs: Any) -> Any:
        return obs["prosocial"]


class Yields:
    def act(self, obs: Any) -> Any:
        yield obs["prosocial"]


def test_an_object_that_exits_does_not_end_its_caller() -> None:
    with pytest.raises(AgentFailed, match=r"Exits at step 0 .* called sys.exit\(3\)"):
        played(Exits())


class Moves:
    def move(self, obs: Any) -> int:
        return 0


class Needs(Moves):
    def __init__(self, model: Any) -> None:
        self.model = model


@pytest.mark.parametrize(
    ("agent", "said"),
    [(Moves, r"made a Moves, which has no act\(observation\)"), (Needs, "argument: 'model'")],
)
def test_a_class_of_which_no_agent_can_be_made_is_refused_before_it_plays(
    agent: type, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        ft.examine(agent, worlds="commons", probes="commons_collapse", classmates=1, size=0.02)


def test_async_is_understood_and_a_generator_is_refused_by_name(tmp_path: Path) -> None:
    assert (played(Waits()).episode.levels[:, :, 0] == 1).all()
    with pytest.raises(AgentFailed, match="it has a yield: an action is returned"):
        played(Yields())
    file = tmp_path / "yields.py"
    file.write_text("def act(obs):\n    yield 1\n")
    with pytest.raises(AgentFailed, match="it has a yield: an action is returned"):
        played(str(file))


COUNTS = """
class Agent:
    def __init__(self):
        self.count = -1
    def act(self, obs):
        self.count += 1
        if self.count != obs["step"]:
            raise ValueError(f"act {self.count} at step {obs['step']}")
        return obs["prosocial"]
"""


def test_an_instance_plays_one_episode_unless_it_learns(tmp_path: Path) -> None:
    """A counter of its own is right in every match, also where an arm has many days."""
    file = tmp_path / "counts.py"
    file.write_text(COUNTS)
    assert len(played(str(file), days=3).days) == 3
    file.write_text(COUNTS + "    def learn(self, day):\n        pass\n")
    with pytest.raises(AgentFailed, match="act 4 at step 0"):
        played(str(file), days=3)


def test_no_agent_is_made_for_episodes_that_only_fill_up_a_batch() -> None:
    made = []

    class Agent:
        def __init__(self) -> None:
            made.append(self)

        def act(self, obs: Any) -> Any:
            return obs["prosocial"]

    played(Pupil("counted", Inside("object", "counted", given=Agent)))
    assert len(made) == 2


def test_what_made_an_agent_slow_is_said(tmp_path: Path) -> None:
    """A process that it started and waits for; memory that it took."""
    file = tmp_path / "slow.py"
    file.write_text(
        "import subprocess, sys\n"
        "def act(obs):\n"
        "    if obs['step'] == 0:\n"
        "        hold = bytearray(1_300_000_000)\n"
        "        return 0\n"
        "    subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    )
    with Worker(Foreign("python_file", str(file), 60.0), seat=0) as worker:
        worker.reset([0])
        worker.act(0, batch(1), np.ones(1, bool))
        worker.foreign = replace(worker.foreign, step_seconds=0.1)
        with pytest.raises(AgentFailed, match="It has 1 process of its own running") as failed:
            worker.act(1, batch(1, step=1), np.ones(1, bool))
    assert re.search(r"Its process took 1\.\d GiB of memory", str(failed.value))


def test_worlds_and_probes_are_names_refs_or_objects() -> None:
    specs = [
        ft.examine("tit_for_tat", worlds=worlds, probes=probes, classmates=1, seed=0, size=0.02)
        for worlds, probes in [
            ("commons(players=2)", "commons_collapse"),
            ([Commons(players=2)], [Ref("probes/commons_collapse")]),
        ]
    ]
    worlds = [each.spec.worlds for each in specs]
    assert worlds == [("commons(players=2)",), ("substrates/commons(players=2)",)]
    assert [each.card.sections[0].world for each in specs] == ["commons(players=2)"] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(worlds=3), "worlds=3 names nothing"),
        (dict(worlds=[object()]), "it lacks account"),
        (dict(worlds="comons"), "Did you mean commons"),
        (dict(probes={"lock_in": 1}), "names nothing"),
        (dict(probes=[Commons()]), "is not a probe"),
        (dict(classmates=[3]), "cannot be a classmate"),
    ],
)
def test_what_cannot_be_understood_is_one_line(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as wrong:
        ft.examine("tit_for_tat", seed=0, **arguments)
    assert said in str(wrong.value)


def test_a_panel_of_one_interlock() -> None:
    with pytest.raises(TypeError, match=r"a panel takes a tuple .* Write Panel\(\(StopButton"):
        ft.Panel(ft.StopButton())  # type: ignore[arg-type]
    assert ft.Panel([ft.StopButton()]) == ft.Panel((ft.StopButton(),))  # type: ignore[arg-type]


def test_rock_paper_scissors_without_its_library(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    assert cli.run(["examine", "rrps:greenberg"]) == 2
    assert "pip install 'freezetag[openspiel]'" in capsys.readouterr().err


def test_a_name_that_would_turn_the_page_around_is_escaped() -> None:
    card = cards.card()
    card = replace(card, spec={**card.spec, "agent": "my\u202eagent.py"})
    page = html.write_html(card)
    assert "\u202e" not in page
    assert "\\U0000202E" in page


def test_an_object_that_is_no_agent() -> None:
    with pytest.raises(UnknownAgent, match="is not an agent"):
        resolve(3)
