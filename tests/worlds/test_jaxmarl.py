"""JaxMARL environments, compiled together with the driver."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec

import jax
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.contracts import check_substrate
from freezetag.core import FOCAL, Arm, Scenario
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.outside.source import BadWorld

# Importing it takes 5 s, so that only who runs these tests does.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("jaxmarl") is None, reason="jaxmarl is not installed"),
]


def load(text: str):
    return catalogue.load(catalogue.find("substrates", text))


def test_the_coin_game_keeps_to_the_contract_and_is_the_same_game() -> None:
    world = load("jaxmarl:coin_game(horizon=10, rest=4)")
    assert world.undeclared == {"level": "nobody said which action is selfish"}
    check_substrate(world, steps=2)
    arm = Arm(Scenario(world, (FOCAL,), ((0, 0),), 10), 3)
    episode = run_arm(arm, Pupil("r", RandomPlay((5,))), {}, 2).episode
    env = importlib.import_module("jaxmarl").make("coin_game")
    # The driver folds the purpose "world" (3) and the step into an episode's key.
    from freezetag.sim.arms import _keys
    from freezetag.sim.step import WORLD

    for b, key in enumerate(jax.random.wrap_key_data(_keys(2, 0, 3, 0))):
        weather = jax.random.fold_in(key, WORLD)
        _, state = env.reset(weather)
        for t in range(10):
            actions = {a: episode.executed[b, t, n, 0] for n, a in enumerate(env.agents)}
            key = jax.random.fold_in(weather, t + 1)
            _, state, rewards, _, _ = env.step_env(key, state, actions)
            assert episode.rewards[b, t].tolist() == [float(rewards[a]) for a in env.agents]
    assert np.isfinite(episode.rewards).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jaxmarl:coin_gam", "JaxMARL has no 'coin_gam'. Did you mean coin_game"),
        ("jaxmarl:coin_game(rest=5)", r"rest \(5,\) is not an action of 0"),
        ("jaxmarl:coin_game(power=reward)", "takes no 'power'"),
        ("jaxmarl:coin_game(horizon=0)", "horizon must be at least 1, got 0"),
        ("jaxmarl:coin_game(sides=3)", "cannot be made: TypeError: .*'sides'"),
    ],
)
def test_what_it_has_not_is_said(text: str, says: str) -> None:
    with pytest.raises(BadWorld, match=says):
        catalogue.find("substrates", text)


def test_it_prints_nothing_of_its_own() -> None:
    code = (
        "from freezetag import catalogue\n"
        "print(catalogue.load(catalogue.find('substrates', 'jaxmarl:coin_game')).players)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("2\n", "")
