"""What counts as an agent in a Python file or module, what it sees, and its memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.workers.batch import batch

from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.plain import as_lists, plain
from freezetag.sim.workers import Worker

COUNTS = """
class {name}:
    def __init__(self):
        self.calls = 0
    def act(self, obs):
        self.calls += 1
        return self.calls - 1
"""
FORMS = {
    "class agent": COUNTS.format(name="agent"),
    "class Agent": COUNTS.format(name="Agent"),
    "factory": COUNTS.format(name="Mine") + "def agent():\n    return Mine()",
    "object": COUNTS.format(name="Mine") + "agent = Mine()",
    "object that cannot be copied": COUNTS.format(name="Mine")
    + "import threading\nagent = Mine()\nagent.lock = threading.Lock()",
    "bare act with a global": "n = -1\ndef act(obs):\n    global n\n    n += 1\n    return n",
    "bare act that is not called so": "n = []\n"
    "def agent(obs):\n    n.append(1)\n    return len(n) - 1",
    "closure": "def agent():\n    n = []\n    return lambda obs: n.append(1) or len(n) - 1",
}


def play(name: str, steps: int = 4, seeds: tuple[int, ...] = (1, 2, 3), **world: object) -> list:
    """[T][B] actions."""
    with Worker(Foreign("python_file", name), seat=0) as worker:
        worker.reset(list(seeds))
        return [
            worker.act(t, batch(len(seeds), step=t, **world), np.ones(len(seeds), bool))[
                :, 0
            ].tolist()
            for t in range(steps)
        ]


@pytest.mark.parametrize("code", FORMS.values(), ids=FORMS)
def test_every_episode_has_a_memory_of_its_own(tmp_path: Path, code: str) -> None:
    file = tmp_path / "agent.py"
    file.write_text(code)
    assert play(str(file), sizes=(9,)) == [[0] * 3, [1] * 3, [2] * 3, [3] * 3]


def test_a_batch_does_not_depend_on_the_batch_before(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "import random\nn = 0\nclass Agent:\n    def act(self, obs):\n"
        "        global n\n        n += 1\n        return n + random.randrange(100)"
    )
    obs, active = batch(2, sizes=(200,)), np.ones(2, bool)
    with Worker(Foreign("python_file", str(file)), seat=0) as worker:
        worker.reset([1, 2])
        first = worker.act(0, obs, active)
        worker.reset([1, 2])
        assert (worker.act(0, obs, active) == first).all()
        worker.reset([3, 2])
        assert (worker.act(0, obs, active) != first).any()


def test_inactive_episodes_are_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text(FORMS["class Agent"])
    with Worker(Foreign("python_file", str(file)), seat=0) as worker:
        worker.reset([1, 2, 3])
        for t, active in enumerate([[1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]]):
            found = worker.act(t, batch(3, step=t, sizes=(9,)), np.array(active, bool))
        assert found.dtype == np.int32
        assert found.tolist() == [[1], [2], [1]]


@pytest.mark.parametrize(
    "code",
    [
        (
            "class Agent:\n    def __init__(self, seed=0): self.s = seed\n"
            "    def act(self, o): return self.s"
        ),
        (
            "class Agent:\n    def reset(self, seed): self.s = seed\n"
            "    def act(self, o): return self.s"
        ),
        (
            "class Agent:\n    def reset(self, *, seed=None): self.s = seed\n"
            "    def act(self, o): return self.s"
        ),
        "def agent(seed):\n    return lambda o: seed",
    ],
)
def test_seeds_arrive(tmp_path: Path, code: str) -> None:
    file = tmp_path / "agent.py"
    file.write_text(code)
    assert play(str(file), 2, (4, 8), sizes=(9,)) == [[4, 8]] * 2


def test_days_are_learned_from(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "class Agent:\n    best = 0\n    def act(self, obs): return self.best\n"
        "    def learn(self, day): self.best = int(sum(day['own_reward']))"
    )
    days = [{"own_level": np.ones(2), "own_reward": np.full(2, b), "mean_level": np.ones(2),
             "valid": np.ones(2, bool)} for b in range(3)]  # fmt: skip
    with Worker(Foreign("python_file", str(file)), seat=0) as worker:
        worker.reset([1, 2, 3])
        worker.learn(days)
        assert worker.act(0, batch(3, sizes=(9,)), np.ones(3, bool))[:, 0].tolist() == [0, 2, 4]
        with pytest.raises(AgentFailed, match="raised KeyError: 'own_reward'"):
            worker.learn([{"valid": np.ones(2)}] * 3)


def test_a_dataclass_and_a_module_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("MOVE = 1\n")
    file = tmp_path / "agent.py"
    file.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from beside_it import MOVE\n@dataclass\nclass Agent:\n    calls: int = 0\n"
        "    def act(self, obs):\n        return MOVE\n"
    )
    assert play(str(file), 1) == [[1, 1, 1]]


@pytest.mark.parametrize("wanted", ["", ":Counter", ":count", ":one.act"])
def test_an_object_of_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    (tmp_path / "my_module.py").write_text(
        COUNTS.format(name="Counter")
        + "n = -1\ndef count(obs):\n    global n\n    n += 1\n    return n\n"
        "one = Counter()\nagent = Counter\n"
    )
    monkeypatch.chdir(tmp_path)
    if wanted == ":one.act":  # a bound method carries its object along when it is copied
        wanted = ":one"
    name = f"my_module{wanted}" if wanted else "my_module:agent"
    assert play(name, 2, sizes=(9,)) == [[0] * 3, [1] * 3]


MISTAKES = {
    "nothing in it": ("x = 1\ndef choose(o): pass", "no agent in .*agent.py: it has x, choose."),
    "no act": ("class Agent: pass", "gave 'Agent', which has no act"),
    "not Python": ("def act(obs)\n    return 0", r"agent.py:1 is not valid Python"),
    "raises": ("1 / 0", r"raised ZeroDivisionError: division by zero \(at agent.py:1\)"),
    "exits": ("import sys\nsys.exit('bye')", r"called sys.exit\(bye\)"),
    "needs more": ("class Agent:\n    def __init__(self, x): pass\n    def act(self, o): pass",
                   "raised TypeError: .*missing 1 required"),
    "misses a package": ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_file_without_an_agent(tmp_path: Path, code: str, says: str) -> None:
    file = tmp_path / "agent.py"
    file.write_text(code)
    with pytest.raises(AgentFailed, match=says) as failed:
        play(str(file))
    assert failed.value.step is None


def test_a_mistyped_path_is_offered_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "my_agent.py").write_text("")
    with pytest.raises(AgentFailed, match=r"there is no file .*Did you mean my_agent.py\?"):
        play(str(tmp_path / "my_agnet.py"))


def test_a_mistyped_module() -> None:
    with pytest.raises(AgentFailed, match="there is no module 'no_such_module'"):
        play("no_such_module:agent")
    with pytest.raises(AgentFailed, match="json has no 'agent'; it has "):
        play("json:agent")


def test_the_plain_observation() -> None:
    obs = batch(2, step=3, seats=4, seat=1, sizes=(3,))
    obs["present"][0] = [True, False, True, False]
    obs["seen"][0] = [True, False, True, False]
    obs["levels"][0] = [1, 0, 0.5, 0]
    obs["others_rewards"][0] = [2, 0, 4, 0]
    obs["own_action"][0] = 2
    obs["own_reward"][0] = 1.5
    obs["legal"][0] = [True, False, True]
    assert plain(as_lists(obs), 0) == {
        "step": 3, "seat": 1, "players": 3, "reward": 1.5, "action": 2, "level": 0.0,
        "levels": {0: 1.0, 2: 0.5}, "rewards": {0: 2.0, 2: 4.0}, "mean_level": 0.75,
        "legal": [0, 2], "selfish": 2, "prosocial": 0, "world": {"stock": 0.0}, "messages": {},
        "said": {},
    }  # fmt: skip
    assert plain(as_lists(obs), 1)["legal"] == range(3)


def test_the_plain_observation_at_the_start() -> None:
    obs = plain(as_lists(batch(1, seats=3, sizes=(2, 3))), 0, (2, 3))
    assert obs["action"] is obs["level"] is obs["mean_level"] is None
    assert obs["levels"] == obs["rewards"] == {}
    assert obs["legal"] == [range(2), range(3)]
    assert (obs["selfish"], obs["prosocial"], obs["players"]) == ([1, 2], [0, 0], 3)


def test_every_field_is_described() -> None:
    described = plain.__doc__ or ""
    for name in plain(as_lists(batch(1)), 0):
        assert f"\n    {name} " in described, name


def test_the_child_imports_neither_jax_nor_scipy(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "import sys\ndef act(obs):\n"
        "    return sum(name in sys.modules for name in ('jax', 'scipy', 'jaxlib'))"
    )
    assert play(str(file), 1, sizes=(4,)) == [[0, 0, 0]]
