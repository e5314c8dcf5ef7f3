"""PettingZoo's and Gymnasium's own conformance tests, and the same game as in the examination."""

from __future__ import annotations

import copy
from typing import Any

import jax
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test

from freezetag.adapters.agents._stepper import Stepper
from freezetag.adapters.agents.pettingzoo import (
    SubstrateEnv,
    from_parallel_env,
    single_agent_env,
    to_parallel_env,
)
from freezetag.core import Ref
from freezetag.players import class_of
from freezetag.players.reciprocators.tit_for_tat import TitForTat
from freezetag.sim.plain import plain
from freezetag.substrates.cleanup import Cleanup
from freezetag.substrates.coin_game import CoinGame
from freezetag.substrates.commons import Commons
from freezetag.substrates.freeze_tag import FreezeTag
from freezetag.substrates.harvest import Harvest
from freezetag.substrates.matrix_game import MatrixGame

FIVE = Commons(players=5)
WORLDS = [
    (FIVE, None),
    pytest.param(FIVE, 3, marks=pytest.mark.slow),
    (MatrixGame(noise=0.2, continuation=0.9), None),
    (MatrixGame("rock_paper_scissors", horizon=20), None),
    pytest.param(CoinGame(), None, marks=pytest.mark.long),
    pytest.param(Harvest(players=3, across=1, down=1), None, marks=pytest.mark.long),
    pytest.param(Cleanup(players=3, width=7), None, marks=pytest.mark.long),
]


@pytest.mark.parametrize(("world", "seats"), WORLDS, ids=str)
def test_pettingzoo_is_content(world: Any, seats: int | None) -> None:
    parallel_api_test(to_parallel_env(world, seats), num_cycles=100)
    parallel_seed_test(lambda: to_parallel_env(world, seats), num_cycles=20)


def act_all(env: SubstrateEnv, action: int) -> tuple[Any, ...]:
    return env.step(dict.fromkeys(env.agents, action))


def test_five_sharers_live_as_in_govsim() -> None:
    """The exact figures of the rule, through PettingZoo: 600 units in 12 rounds."""
    env = to_parallel_env(FIVE)
    env.reset(seed=1)
    total = 0.0
    for t in range(12):
        shown, rewards, over, late, infos = act_all(env, 10)
        total += sum(rewards.values())
        assert list(shown) == list(infos) == [f"seat_{n}" for n in range(5)]
        assert not any(over.values())
        assert set(late.values()) == {t == 11}
    assert total == 600
    assert env.agents == []
    with pytest.raises(RuntimeError, match="reset"):
        env.step({})


def test_all_die_when_the_stock_collapses() -> None:
    env = to_parallel_env(FIVE)
    env.reset(seed=1)
    _, rewards, over, late, _ = act_all(env, 100)
    assert sum(rewards.values()) == 100
    assert all(over.values())
    assert not any(late.values())
    assert env.agents == []


def test_the_layout_says_what_lies_where() -> None:
    env = to_parallel_env(FIVE)
    env.reset(seed=3)
    shown = act_all(env, 10)[0]["seat_2"]
    at = env.layout.slices()
    seen = {name: shown["observation"][part].tolist() for name, part in at.items()}
    assert seen["world.stock"] == seen["world.capacity"] == [100.0]
    assert seen["step"] == [1.0]
    assert seen["players"] == [5.0]
    assert seen["reward"] == seen["action"] == seen["prosocial"] == [10.0]
    assert sum(seen["seen"]) == sum(seen["levels"]) == 4
    assert sum(seen["rewards"]) == 40
    assert shown["action_mask"].tolist() == [1] * 101


def test_an_illegal_action_rests_and_is_told() -> None:
    """One that is in the action space, and not allowed here and now."""
    env = to_parallel_env(FreezeTag(), seats=1)
    seen, _ = env.reset(seed=0)
    (agent,) = env.agents
    forbidden = int(np.flatnonzero(seen[agent]["action_mask"] == 0)[0])
    assert env.action_space(agent).contains(forbidden)
    assert env.step({agent: forbidden})[4] == {agent: {"illegal": True}}
    with pytest.raises(ValueError, match=f"no action for {agent}"):
        env.step({})


def play(env: SubstrateEnv, seed: int | None) -> list[float]:
    env.reset(seed=seed)
    return [act_all(env, 0)[1]["seat_0"] for _ in range(20)]


def test_a_stream_of_episodes_repeats_from_its_seed() -> None:
    world = MatrixGame(noise=0.5)
    env, again = to_parallel_env(world), to_parallel_env(world)
    first, second = play(env, 5), play(env, None)
    assert first != second
    assert [play(again, 5), play(again, None)] == [first, second]


def test_too_few_or_too_many_seats_are_refused() -> None:
    with pytest.raises(ValueError, match="2 to 2 players"):
        to_parallel_env(MatrixGame(), seats=1)
    with pytest.raises(ValueError, match="1 to 5 players"):
        single_agent_env(Commons(players=5), [TitForTat()] * 5)
    with pytest.raises(ValueError, match="horizon"):
        to_parallel_env(Commons(), horizon=0)


@pytest.mark.parametrize("classmates", [0, 2])
@pytest.mark.filterwarnings("ignore:.*Box observation space .*infinity")  # utilities have no bound
def test_gymnasium_is_content(classmates: int) -> None:
    env = single_agent_env(FIVE, [TitForTat()] * classmates, horizon=6)
    check_env(env, skip_render_check=True)


def test_a_class_plays_inside_the_environment() -> None:
    """Against tit for tat: C, D, D pays 3, 5, 1; then D C D C against it 1 0 5 0."""
    env = single_agent_env(MatrixGame(), [TitForTat()])
    env.reset(seed=0)
    rewards = [env.step(move)[1] for move in (0, 1, 1, 0, 1, 0)]
    assert rewards == [3, 5, 1, 0, 5, 0]


def test_a_class_of_one_keeps_its_stock() -> None:
    env = single_agent_env(FIVE)
    env.reset(seed=0)
    rewards, late = [], False
    while not late:
        _, reward, over, late, _ = env.step(10)
        assert not over
        rewards.append(reward)
    assert rewards == [10.0] * 12


LOOK = jax.jit(Stepper.look, static_argnums=0)


def plain_views(env: SubstrateEnv) -> list[dict[str, Any]]:
    """What the examination would show to each seat, right now."""
    obs = LOOK(env._stepper, env._state)
    fields = {k: v for k, v in vars(obs).items() if k not in ("world", "messages")}
    fields |= {f"world.{name}": value for name, value in obs.world.items()}
    lists = {name: np.asarray(value).tolist() for name, value in fields.items()}
    return [plain(lists, n, env.substrate.action_sizes) for n in range(len(env.possible_agents))]


@pytest.mark.parametrize("world", [FIVE, MatrixGame("rock_paper_scissors", horizon=20)], ids=str)
def test_the_examination_shows_what_the_environment_showed(world: Any) -> None:
    env = to_parallel_env(world)
    shown, _ = env.reset(seed=2)
    seen: list[Any] = []
    agent = from_parallel_env(lambda observation: seen.append(observation) or 0, env)
    rng = np.random.default_rng(0)
    for _ in range(3):
        for n, view in enumerate(plain_views(env)):
            assert agent.act(view) == 0
            np.testing.assert_array_equal(
                seen[-1]["observation"], shown[f"seat_{n}"]["observation"]
            )
            np.testing.assert_array_equal(
                seen[-1]["action_mask"], shown[f"seat_{n}"]["action_mask"]
            )
            assert seen[-1] in env.observation_space(f"seat_{n}")
        shown = env.step({name: rng.integers(0, 2) for name in env.agents})[0]


class FakeRps:
    """The spaces of PettingZoo's rps_v2: the other's last throw, 3 for none yet."""

    possible_agents = ("player_0", "player_1")

    def observation_space(self, agent: str) -> spaces.Discrete:
        return spaces.Discrete(4)

    def action_space(self, agent: str) -> spaces.Discrete:
        return spaces.Discrete(3)


def beats(last: int) -> np.int64:
    return np.int64((last + 1) % 3)


def test_a_rock_paper_scissors_policy_reads_the_other_throw() -> None:
    agent = from_parallel_env(beats, FakeRps())
    env = to_parallel_env(MatrixGame("rock_paper_scissors", horizon=20))
    env.reset(seed=0)
    assert agent.act(plain_views(env)[0]) == 1  # 3 + 1 = 1 (mod 3): nobody has thrown yet
    for throw in (0, 1, 2):
        env.step({"seat_0": 0, "seat_1": throw})
        move = agent.act(plain_views(env)[0])
        assert type(move) is int
        assert env.step({"seat_0": move, "seat_1": throw})[1]["seat_0"] == 1


class Baseline:
    """A policy as Stable-Baselines3 has them."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def reset(self, seed: int) -> None:
        self.seeds.append(seed)

    def predict(self, observation: Any) -> tuple[Any, None]:
        return np.array([observation["action_mask"].argmax()]), None


def test_a_policy_may_predict_and_be_copied() -> None:
    env = to_parallel_env(MatrixGame())
    env.reset(seed=0)
    agent = copy.deepcopy(from_parallel_env(Baseline(), env))
    agent.reset(4)
    assert agent.policy.seeds == [4]
    assert agent.act(plain_views(env)[0]) == 0


def test_an_unknown_observation_needs_an_encoding() -> None:
    env = FakeRps()
    env.observation_space = lambda agent: spaces.Box(0, 1, (3,))  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="Give encode"):
        from_parallel_env(beats, env)
    agent = from_parallel_env(
        lambda x: x * 2, env, encode=lambda view: view["step"], decode=lambda action: action + 1
    )
    assert agent.act({"step": 3}) == 7


@pytest.mark.parametrize("action", [-1, 10**6, 1.5, None, [1, 2], "3", True + 0.5])
def test_an_action_outside_of_the_space_is_refused(action: Any) -> None:
    env, alone = to_parallel_env(Commons(players=2)), single_agent_env(Commons(players=2))
    env.reset(seed=0)
    alone.reset(seed=0)
    with pytest.raises(ValueError, match=r"seat_1: .* is not in its action space.*0 \.\. "):
        env.step({"seat_0": 1, "seat_1": action})
    with pytest.raises(ValueError, match="is not in its action space"):
        alone.step(action)


def test_classmates_by_name_and_of_a_class() -> None:
    env = single_agent_env(Commons(players=4), class_of(3))
    named = single_agent_env(Commons(players=4), [ref.name for ref in class_of(3)])
    for each in (env, named):
        each.reset(seed=1)
    assert env.step(3)[1] == named.step(3)[1]
    with pytest.raises(ValueError, match="agent in Python"):
        single_agent_env(Commons(players=4), [Ref("axelrod:Grudger")])
    with pytest.raises(ValueError, match="offers no model"):
        single_agent_env(Commons(players=4), ["factual"])
