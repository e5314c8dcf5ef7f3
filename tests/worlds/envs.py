"""Small environments in files of their own, as a user would write them, and how to play them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freezetag.adapters.worlds import pettingzoo
from freezetag.core import Arm, Array, Episode, Scenario
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.sim import arms
from freezetag.sim.arms import Pupil, run_arm

BASE = '''
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class MyEnv(ParallelEnv):
    """Two agents are paid their own action, three times; `{change}` is put in."""

    metadata = {{"name": "my_env_v0"}}
    possible_agents = ["ann", "bob"]

    def observation_space(self, agent):
        return spaces.Box(-1, 9, (2,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(3)

    def seen(self):
        return {{a: np.array([self.t, 0], np.float32) for a in self.agents}}

    def reset(self, seed=None, options=None):
        self.agents, self.t = list(self.possible_agents), 0
        self.rng = np.random.default_rng(seed)
        return self.seen(), {{a: {{}} for a in self.agents}}

    def step(self, actions):
        self.t += 1
        there = list(self.agents)
        rewards = {{a: float(actions[a]) for a in there}}
        ended = dict.fromkeys(there, self.t >= 3)
        if self.t >= 3:
            self.agents = []
        seen = {{a: np.array([self.t, 0], np.float32) for a in there}}
        return seen, rewards, ended, dict.fromkeys(there, False), {{a: {{}} for a in there}}
'''


def seeds(seed: int, arm: Arm) -> Array:
    """[B] the seed with which each episode's environment is reset: of its weather's key the end."""
    sky = arms._skies(arm)
    found: Array = arms._keys(seed, arm.block, 1 + int(sky.max()), 0)[sky, -1]
    return found


def written(folder: Path, change: str = "", **replaced: str) -> Path:
    """`BASE` as a file: methods in `change` take the place of its own; `replaced` are texts."""
    code = BASE.format(change="nothing")
    for old, new in replaced.items():
        assert old in code
        code = code.replace(old, new)
    lines = "".join(f"    {line}\n" if line else "\n" for line in change.splitlines())
    file = folder / "my_env.py"
    file.write_text(f"{code}\n{lines}")
    return file


def world(file: Path | str, **settings: Any) -> Any:
    """The file's environment as a world."""
    return pettingzoo.world(str(file), tuple(settings.items()))


def played(substrate: Any, policy: Any = None, repeats: int = 3, **changes: Any) -> Episode:
    """Episodes of a world in which all seats are random, or seat 0 is `policy`."""
    random = RandomPlay(substrate.action_sizes)
    pupil = Pupil("the agent", policy or random, **changes.pop("pupil", {}))
    from freezetag.core import FOCAL

    row = (0, *(1 for _ in range(substrate.players - 1)))
    horizon = changes.pop("horizon", substrate.horizon)
    scenario = Scenario(substrate, (FOCAL, random), (row,), horizon, **changes)
    return run_arm(Arm(scenario, repeats), pupil, {}, 7).episode
