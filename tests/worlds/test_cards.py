"""Report cards of agents in environments from outside, from a name to the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import envs

from freezetag import catalogue
from freezetag.cli import run
from freezetag.core import Ref
from freezetag.exam.examine import examine

AGENT = """
import numpy as np

class Agent:
    def act(self, observation):
        seen = observation["world"]["observation"]
        assert seen.dtype == np.float32 and seen.ndim == 1
        assert observation["world"]["agent"] in ("agent_0", "adversary_0")
        return int(np.argmax(seen[:4])) if seen.any() else 0
"""


def rows(card: Any) -> dict[str, Any]:
    """Probe -> its section."""
    return {section.probe: section for section in card.sections}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mpe2.simple_spread_v3", "mpe2.simple_tag_v3"])
def test_a_python_agent_gets_a_card_in_particle_worlds(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name)
    agent = tmp_path / "my_agent.py"
    agent.write_text(AGENT)
    done = examine(str(agent), worlds=f"pettingzoo:{name}", size=0.02, seed=1)
    found = rows(done.card)
    (only,) = found["class_effect"].measurements[:1]
    assert np.isfinite([only.of.low, only.of.high]).all()
    assert "nobody said which action is selfish" in only.note
    assert [m.name for m in found["class_effect"].measurements] == [
        "return in the class less alone",
        "return of the others",
    ]
    assert found["interlock_tax"].reason == "nobody said which action is one at rest"


def test_a_file_with_everything_declared_has_every_row(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    file.write_text(file.read_text() + "\nselfish, prosocial, rest = 2, 0, 0\n")
    done = examine("random_play", worlds=str(file), size=0.02, seed=1)
    found = rows(done.card)
    assert "level in the class less alone" in [m.name for m in found["class_effect"].measurements]
    tax = {m.name: m for m in found["interlock_tax"].measurements}
    assert tax["stop failures on demand"].of.value == 0
    assert any(line.startswith(f"{file} sha256:") for line in done.spec.files)
    saved = done.save(tmp_path / "run")
    import duckdb

    table = saved["episodes.parquet"]
    alive = duckdb.sql(f"select distinct world_alive from '{table}'").fetchall()
    assert sorted(alive) == [(False,), (True,)]  # after the last step nobody is


def test_the_catalogue_names_worlds_of_other_libraries(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    ref = catalogue.find("substrates", f"{file}(rest=0, horizon=2)")
    assert ref == Ref.of(f"pettingzoo:{file}", rest=0, horizon=2)
    assert catalogue.find("substrates", ref.text) == ref
    world = catalogue.load(ref)
    assert (world.horizon, world.rest) == (2, (0,))
    assert ref.name == "my_env.py(horizon=2, rest=0)"


def test_what_cannot_be_played_is_one_line(tmp_path: Path, capsys: Any) -> None:
    file = envs.written(tmp_path)
    file.write_text(file.read_text().replace("spaces.Discrete(3)", "spaces.Text(3)"))
    assert run(["examine", "tit_for_tat", "--world", str(file)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("freezetag: my_env.py cannot be played: ann acts in Text(")


def test_nobody_is_stopped_where_rest_is_unknown(tmp_path: Path, capsys: Any) -> None:
    file = envs.written(tmp_path)
    asked = ["examine", "random_play", "--world", str(file), "--button", "50%", "--size", "0.02"]
    assert run(asked) == 2
    assert "nobody said which action is one at rest in my_env.py. Say it" in capsys.readouterr().err


def test_check_says_what_is_known_of_an_environment(tmp_path: Path, capsys: Any) -> None:
    file = envs.written(tmp_path)
    assert run(["check", str(file)]) == 0
    said = capsys.readouterr().out
    assert "2 agents, 3 steps" in said
    assert "nobody said which action is one at rest" in said


def test_an_environment_that_fails_is_the_reason_of_its_row(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    bad = "rewards = {a: 0.0 if self.t < 3 or self.soon else float('nan') for a in there}"
    code = file.read_text().replace("rewards = {a: float(actions[a]) for a in there}", bad)
    code = code.replace(
        "self.agents, self.t =", "self.soon = seed in (0, 1, 2)\n        self.agents, self.t ="
    )
    file.write_text(code)
    done = examine("random_play", worlds=str(file), size=0.02, seed=1)
    assert rows(done.card)["class_effect"].reason == (
        "my_env.py at step 2 in episode 0: the reward of ann is nan."
    )
