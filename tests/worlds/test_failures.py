"""Environments that misbehave in every way we could think of: each ends in one clear line."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tests.worlds import envs

from freezetag.core import Panel, Press, StopButton
from freezetag.sim.outside.codec import NotPlain, decoded, encoded
from freezetag.sim.outside.source import WorldFailed

STEP = "rewards = {a: float(actions[a]) for a in there}"
RESET = "self.rng = np.random.default_rng(seed)"

PLAYING = {
    "a reward that is not a number": (
        STEP,
        "rewards = {'ann': 0.0, 'bob': float('nan') if self.t == 2 and self.late else 1.0}",
        "my_env.py at step 1 in episode 0: the reward of bob is nan.",
    ),
    "a reward that is text": (
        STEP,
        "rewards = {'ann': 0.0, 'bob': 'much' if self.late else 1.0}",
        "my_env.py at step 0 in episode 0: the reward of bob is 'much'.",
    ),
    "no reward": (
        STEP,
        "rewards = {'ann': 0.0} if self.late else dict.fromkeys(there, 0.0)",
        "my_env.py at step 0 in episode 0: it gave no reward to bob, which acted.",
    ),
    "an exception in a step": (
        STEP,
        "rewards = {a: 1 / (not self.late or self.t < 3) for a in there}",
        (
            "my_env.py at step 2 in episode 0 raised ZeroDivisionError: division by zero "
            "(at my_env.py:30)."
        ),
    ),
    "a process that ends": (
        STEP,
        "rewards = dict.fromkeys(there, 0.0); import os; self.late and os._exit(9)",
        "my_env.py at step 0 in episode 0 ended its process: exit code 9.",
    ),
    "an agent that is not listed": (
        STEP,
        "rewards = dict.fromkeys(there, 0.0); self.late and self.agents.append('eve')",
        (
            "my_env.py at step 0 in episode 0: there is an agent 'eve' that possible_agents does "
            "not list: it lists ann, bob."
        ),
    ),
    "an exception in reset": (
        RESET,
        "self.rng = [0, 1, 2].index(seed)",
        (
            "my_env.py at the reset of episode 0 raised ValueError: {seed} is not in list "
            "(at my_env.py:24)."
        ),
    ),
    "spaces that change": (
        "return spaces.Discrete(3)",
        "return spaces.Discrete(3 + getattr(self, 'late', 0))",
        (
            "my_env.py at the reset of episode 0: the action space of ann is Discrete(4), and was "
            "Discrete(3) when it was asked: it must stay the same."
        ),
    ),
    "an observation of another length": (
        "return {a: np.array([self.t, 0], np.float32) for a in self.agents}",
        "return {a: np.zeros(2 + self.late, np.float32) for a in self.agents}",
        "my_env.py at the reset of episode 0: the observation of ann has 3 numbers, its space 2.",
    ),
    "no observation": (
        "return {a: np.array([self.t, 0], np.float32) for a in self.agents}",
        "return {a: np.zeros(2) for a in self.agents[self.late:]}",
        "my_env.py at the reset of episode 0: it gave no observation to ann, which is to act.",
    ),
    "a mask that leaves nothing": (
        "{a: {} for a in self.agents}",
        "{a: {'action_mask': np.full(3, not self.late)} for a in self.agents}",
        "my_env.py at the reset of episode 0: the action mask of ann leaves it nothing to do.",
    ),
    "a mask of another length": (
        "{a: {} for a in self.agents}",
        "{a: {'action_mask': np.ones(3 + self.late)} for a in self.agents}",
        (
            "my_env.py at the reset of episode 0: the action mask of ann: an action mask of 4 "
            "values, for 3."
        ),
    ),
}


@pytest.mark.parametrize(("old", "new", "says"), PLAYING.values(), ids=PLAYING)
def test_a_world_that_fails_while_it_is_played(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    file = envs.written(tmp_path)
    code = file.read_text()
    assert old in code
    # The world is asked with the seeds 0, 1 and 2, and behaves then.
    late = "self.late = int(seed not in (0, 1, 2)); "
    code = code.replace(old, new).replace("self.agents, self.t", f"{late}self.agents, self.t")
    file.write_text(code)
    world = envs.world(file)
    with pytest.raises(WorldFailed) as failed:
        envs.played(world)
    shown = says.split("{seed}")
    assert str(failed.value).startswith(shown[0]), str(failed.value)
    assert str(failed.value).endswith(shown[-1]), str(failed.value)
    assert failed.value.exit_code == 3


ASKED = {
    "an infinite box": (
        "spaces.Discrete(3)",
        "spaces.Box(-np.inf, 1, (2,), np.float32)",
        "ann acts in Box(-inf, 1.0, (2,), float32), whose dimension 0 has no bounds",
    ),
    "another space": (
        "spaces.Discrete(3)",
        "spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2)])",
        "ann acts in Tuple(Discrete(3), Discrete(2)), which cannot be played",
    ),
    "nobody in it": ('["ann", "bob"]', "[]", "it has no agents"),
    "a package that is missing": (
        "import numpy as np",
        "import numpy as np; import not_there_at_all",
        "it imports 'not_there_at_all', which is not installed",
    ),
    "no Python": ("import numpy as np", "import numpy as", "line 2 is not valid Python"),
    "an exception when it is made": (
        'metadata = {"name": "my_env_v0"}',
        "def __init__(self): raise OSError('no display')",
        "raised OSError: no display (at my_env.py:10)",
    ),
    "two environments": (
        "class MyEnv",
        "class Other(ParallelEnv):\n    pass\n\n\nclass MyEnv",
        "it has 2 environments, Other, MyEnv. Say which: my_env.py:Other.",
    ),
    "a rest that is none": (
        "import numpy as np",
        "import numpy as np\nrest = 3",
        "rest of ann: 3 is not an action of Discrete(3).",
    ),
    "a bystander that is nobody": (
        "import numpy as np",
        "import numpy as np\nbystander = 'eve'",
        "bystander is an agent or a function of env, got 'eve'; the agents are ann, bob.",
    ),
    "an odd horizon": (
        "import numpy as np",
        "import numpy as np\nhorizon = 0",
        "horizon must be a whole number of at least 1, got 0.",
    ),
}


@pytest.mark.parametrize(("old", "new", "says"), ASKED.values(), ids=ASKED)
def test_a_world_that_cannot_be_played(tmp_path: Path, old: str, new: str, says: str) -> None:
    file = envs.written(tmp_path)
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(WorldFailed) as failed:
        envs.world(file)
    assert says in str(failed.value)
    assert str(failed.value).startswith("my_env.py ")
    assert "\n" not in str(failed.value)


def test_a_hang_is_ended(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    file.write_text(file.read_text().replace(STEP, f"import time; time.sleep(60); {STEP}"))
    from freezetag.sim.outside.hosted import hosted
    from freezetag.sim.outside.source import Source

    began = time.monotonic()
    with pytest.raises(WorldFailed, match=r"took longer than 0\.5 s for one step"):
        hosted(Source("pettingzoo", str(file), "my_env.py", (), 0.5))
    assert time.monotonic() - began < 50


def test_names_that_name_nothing(tmp_path: Path) -> None:
    with pytest.raises(WorldFailed, match=r"there is no module 'not_there_at_all\.x'"):
        envs.world("not_there_at_all.x")
    with pytest.raises(WorldFailed, match=r"there is no file none\.py"):
        envs.world(tmp_path / "none.py")
    file = envs.written(tmp_path)
    with pytest.raises(WorldFailed, match=r"it does not take these settings.*'sides'"):
        envs.world(file, sides=3)


def test_a_stop_that_is_not_legal_is_said(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    mask = "{a: {'action_mask': np.array([0, 1, 1])} for a in there}"
    file.write_text(file.read_text().replace("{a: {} for a in there}", mask))
    with pytest.raises(WorldFailed, match=r"at step 1 .*: ann is stopped, and the stop's action"):
        envs.played(
            envs.world(file), pupil={"panel": Panel((StopButton(),))}, press=Press(at=1, hold=2)
        )


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": (1, 2.5, [True, "x"]), 3: np.arange(6, dtype=np.int16).reshape(2, 3)},
        np.float32(2.5),
        np.array(["one", "two"]),
        (),
    ],
)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    back = decoded(encoded(value))
    assert type(back) is type(value)
    assert repr(back) == repr(value)


@pytest.mark.parametrize("value", [object(), {"a": lambda: 0}, np.array([object()])])
def test_what_is_not_plain_is_refused(value: object) -> None:
    with pytest.raises(NotPlain):
        encoded(value)


@pytest.mark.parametrize(
    "given",
    [
        {"array": ["|O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f4", [2], "AAAA"]},
        {"array": ["<f4", [-1], ""]},
        {"array": 3},
        {"odd": 1},
        {},
        {"tuple": 3},
        {"map": [[[], 1]]},
    ],
)
def test_what_no_environment_wrote_is_refused(given: object) -> None:
    with pytest.raises(NotPlain):
        decoded(given)
