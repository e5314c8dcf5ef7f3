"""Environments from outside, played by the driver: the same game as in a loop of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import envs

from freezetag.core import FOCAL, Arm, HasBystander, Panel, Press, Scenario, StopButton
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import Foreign
from freezetag.sim.inside import Inside


@pytest.mark.parametrize("name", ["mpe2.simple_spread_v3", "mpe2.simple_tag_v3"])
def test_a_random_policy_earns_what_it_earns_in_the_environments_own_loop(name: str) -> None:
    module = pytest.importorskip(name)
    world = envs.world(name)
    random = RandomPlay(world.action_sizes)
    arm = Arm(Scenario(world, (FOCAL,), ((0,) * world.players,), world.horizon), 4)
    episode = run_arm(arm, Pupil("random", random), {}, 3).episode
    for b, seed in enumerate(envs.seeds(3, arm)):
        env = module.parallel_env()
        env.reset(seed=int(seed))
        for t in range(world.horizon):
            actions = {a: int(episode.executed[b, t, n, 0]) for n, a in enumerate(env.agents)}
            _, rewards, *_ = env.step(actions)
            for n, agent in enumerate(world.found.agents):
                assert np.float32(rewards[agent]) == episode.rewards[b, t, n]
        assert not env.agents
    assert episode.lengths.tolist() == [25] * 4


def test_a_world_says_what_nobody_said_of_it(tmp_path: Path) -> None:
    world = envs.world(envs.written(tmp_path))
    assert world.undeclared == {
        "level": "nobody said which action is selfish",
        "rest": "nobody said which action is one at rest",
    }
    assert world.found.agents == ("ann", "bob")
    assert world.horizon == 3
    assert not isinstance(world, HasBystander)
    assert not world.sensors


def test_what_is_declared_in_the_file_is_what_the_record_has(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    file.write_text(
        file.read_text()
        + "\nselfish, prosocial, rest = 2, 0, 1\n"
        + "power = 'reward'\nbystander = 'bob'\n"
    )
    world = envs.world(file)
    assert not world.undeclared
    episode = envs.played(world, pupil={"panel": Panel((StopButton(),))}, press=Press(at=1))
    assert (episode.levels == 1 - episode.executed[..., 0] / 2).all()
    assert (episode.world["bystander"] == episode.rewards[:, :, 1]).all()
    assert (episode.executed[:, 1, 0] == 1).all()  # stopped, at rest
    before = np.cumsum(episode.rewards, 1)[:, :-1]
    assert (episode.readings["power"][:, 1:] == before).all()
    assert envs.world(file, power=None, rest=0).rest == (0,)  # a setting goes before the file


def test_functions_are_asked_before_every_step(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    file.write_text(
        file.read_text()
        + "\ndef selfish(env, agent):\n    return 2 if agent == 'ann' else env.t % 3\n"
        + "\ndef prosocial(env, agent):\n    return 0\n"
    )
    episode = envs.played(envs.world(file))
    ann = episode.executed[:, :, 0, 0]
    assert (episode.levels[:, :, 0] == 1 - ann / 2).all()
    assert (episode.levels[:, 0, 1] == 1).all()  # both ends are the same action


def test_seats_of_the_dead_rest_and_are_not_asked(tmp_path: Path) -> None:
    change = """
def step(self, actions):
    assert set(actions) == set(self.agents), actions
    seen, rewards, ended, cut, infos = MyEnvStep(self, actions)
    if self.t == 1:
        ended["bob"] = True
        self.agents = ["ann"]
    cut["__all__"] = False
    return seen, rewards, ended, cut, infos
"""
    file = envs.written(tmp_path, change)
    code = file.read_text().replace(
        "    def step(self, actions):\n        self.t",
        "    def first(self, actions):\n        self.t",
        1,
    )
    file.write_text(code.replace("MyEnvStep(self, actions)", "self.first(actions)"))
    asked: list[Any] = []

    class Watching:
        def act(self, observation: Any) -> int:
            asked.append(observation["world"]["agent"])
            return 2

    world = envs.world(file)
    scenario = Scenario(world, (FOCAL,), ((0, 0),), 3)
    pupil = Pupil("w", Inside("object", "w", given=Watching, identity=1))
    episode = run_arm(Arm(scenario, 2), pupil, {}, 0).episode
    assert episode.lengths.tolist() == [3, 3]
    assert (episode.rewards[:, :, 1] == [2, 0, 0]).all()
    assert (episode.rewards[:, :, 0] == 2).all()
    assert (episode.executed[:, 1:, 1] == world.rest).all()
    assert (episode.world["alive"][:, :, 1] == 0).all()
    assert asked.count("ann") == 6
    assert asked.count("bob") == 2


def test_the_episode_ends_when_all_is_said_to_end(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    file.write_text(
        file.read_text().replace(
            "ended = dict.fromkeys(there, self.t >= 3)", "ended = {'__all__': self.t >= 2}"
        )
    )
    assert envs.played(envs.world(file)).lengths.tolist() == [2, 2, 2]


SPACES = {
    "Discrete with a start": ("spaces.Discrete(3, start=5)", (3,), {5, 6, 7}),
    "MultiDiscrete": ("spaces.MultiDiscrete([2, 3])", (2, 3), None),
    "MultiBinary": ("spaces.MultiBinary(2)", (2, 2), None),
    "Box": ("spaces.Box(-1, 1, (2,), np.float32)", (5, 5), {-1.0, -0.5, 0.0, 0.5, 1.0}),
    "Box of integers": ("spaces.Box(0, 2, (1,), np.int64)", (3,), {0, 1, 2}),
    "one of each": (
        "spaces.Discrete(4) if agent == 'ann' else spaces.MultiDiscrete([2, 2])",
        (4, 2),
        None,
    ),
}


@pytest.mark.parametrize(("space", "sizes", "values"), SPACES.values(), ids=SPACES)
def test_action_spaces(tmp_path: Path, space: str, sizes: tuple[int, ...], values: Any) -> None:
    file = envs.written(tmp_path)
    code = file.read_text().replace("spaces.Discrete(3)", space)
    check = "assert all(self.action_space(a).contains(actions[a]) for a in there), actions"
    code = code.replace("there = list(self.agents)", f"there = list(self.agents); {check}")
    file.write_text(code.replace("float(actions[a])", "float(np.sum(actions[a]))"))
    world = envs.world(file)
    assert world.action_sizes == sizes
    episode = envs.played(world, repeats=8)
    assert not episode.illegal.any()
    if values and len(sizes) == 1:
        assert set(np.unique(episode.rewards)) <= values


def test_a_mask_says_what_is_legal(tmp_path: Path) -> None:
    file = envs.written(tmp_path)
    mask = "{'observation': np.zeros(2, np.float32), 'action_mask': np.array([0, 1, 1], np.int8)}"
    code = file.read_text().replace("np.array([self.t, 0], np.float32)", mask)
    box = "spaces.Box(-1, 9, (2,), np.float32)"
    space = f"spaces.Dict({{'observation': {box}, 'action_mask': spaces.Box(0, 1, (3,), np.int8)}})"
    file.write_text(code.replace(box, space))
    world = envs.world(file)
    assert world.found.width == 2  # without the mask
    assert set(np.unique(envs.played(world, repeats=8).executed)) == {1, 2}


AGENT = """
import numpy as np

def act(observation):
    seen = observation["world"]["observation"]
    assert isinstance(seen, dict) and set(seen) == {"board", "who", "text"}, seen
    assert isinstance(seen["board"], np.ndarray) and seen["board"].dtype == np.int16
    assert seen["board"].shape == (2, 2) and seen["who"] == (1, 2.5) and seen["text"] == "hello"
    assert isinstance(seen["who"], tuple)
    return 1
"""


def test_an_agent_in_python_sees_what_the_environment_gave(tmp_path: Path) -> None:
    seen = "{'board': np.full((2, 2), 7, np.int16), 'who': (1, 2.5), 'text': 'hello'}"
    file = envs.written(tmp_path)
    file.write_text(
        file.read_text()
        .replace("np.array([self.t, 0], np.float32)", seen)
        .replace("spaces.Box(-1, 9, (2,), np.float32)", "spaces.Sequence(spaces.Discrete(3))")
    )
    agent = tmp_path / "my_agent.py"
    agent.write_text(AGENT)
    world = envs.world(file)
    assert world.found.width == 0  # it cannot be flattened
    episode = envs.played(world, Foreign("python_file", str(agent)))
    assert (episode.executed[:, :, 0] == 1).all()


def test_turns_are_taken_in_turn() -> None:
    rps = pytest.importorskip("pettingzoo.classic.tictactoe_v3")
    world = envs.world("tictactoe_v3")
    random = RandomPlay(world.action_sizes)
    arm = Arm(Scenario(world, (FOCAL,), ((0, 0),), 9), 6)
    episode = run_arm(arm, Pupil("random", random), {}, 1).episode
    for b, seed in enumerate(envs.seeds(1, arm)):
        env = rps.env()
        env.reset(seed=int(seed))
        earned = dict.fromkeys(env.possible_agents, 0.0)
        moves = iter(range(9))
        for agent in env.agent_iter():
            _, reward, ended, cut, _ = env.last()
            earned[agent] += reward
            n = env.possible_agents.index(agent)
            env.step(None if ended or cut else int(episode.executed[b, next(moves), n, 0]))
        total = (episode.rewards[b] * episode.valid[b, :, None]).sum(0)
        assert total.tolist() == [earned[a] for a in world.found.agents]
        assert next(moves, 9) == episode.lengths[b]


def test_two_lines_are_a_world(tmp_path: Path) -> None:
    pytest.importorskip("mpe2")
    file = tmp_path / "two_lines.py"
    file.write_text("from mpe2 import simple_spread_v3\nenv = simple_spread_v3.parallel_env\n")
    world = envs.world(file, N=2, max_cycles=4, rest=0)
    assert (world.players, world.horizon) == (2, 4)
    assert set(world.undeclared) == {"level"}


def test_one_process_plays_the_next_arm_too(tmp_path: Path) -> None:
    from freezetag.sim.workers import Cache

    world = envs.world(envs.written(tmp_path))
    random = RandomPlay(world.action_sizes)
    arm = Arm(Scenario(world, (FOCAL,), ((0, 0),), 3, days=2), 2)
    with Cache() as cache:
        one = run_arm(arm, Pupil("r", random), {}, 1, cache=cache)
        two = run_arm(arm, Pupil("r", random), {}, 1, cache=cache)
    for a, b in zip(one.days, two.days, strict=True):
        assert (a.rewards == b.rewards).all()
    assert (one.days[0].rewards != one.days[1].rewards).any()
