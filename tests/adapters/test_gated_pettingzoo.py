"""Behind open gates PettingZoo's environments are what they are without, births and deaths too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pettingzoo import ParallelEnv
from pettingzoo.test import api_test, parallel_api_test
from pettingzoo.test.example_envs import (
    generated_agents_env_v0,
    generated_agents_parallel_cust_agentid_v0,
    generated_agents_parallel_v0,
)
from pettingzoo.utils import wrappers

from freezetag.adapters.gates.pettingzoo import GatedAECEnv, GatedParallelEnv
from freezetag.core import Panel, UserError
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

# PettingZoo warns of its own example environments, with gates and without.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def open_gate() -> Gate:
    return Gate(Panel(), clock=SteppedClock(), enrolments=())


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != "oversight"}
    return value.tolist() if isinstance(value, np.ndarray) else value


def played(env: Any, steps: int = 30) -> list[Any]:
    np.random.seed(7)  # noqa: NPY002  (the example environments draw from it)
    seen, infos = env.reset(seed=11)
    record = [(plain(seen), plain(infos), list(map(str, env.agents)))]
    for _ in range(steps):
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        given = env.step(actions)
        record.append((*map(plain, given), list(map(str, env.agents))))
    return record


@pytest.mark.parametrize(
    "module", [generated_agents_parallel_v0, generated_agents_parallel_cust_agentid_v0]
)
def test_agents_born_and_dying_in_an_environment_that_names_nobody_before(module: Any) -> None:
    bare = module.parallel_env()
    assert not hasattr(bare, "possible_agents")
    first = next(iter(bare.reset(seed=11)[0]))
    gate = open_gate()
    gated = GatedParallelEnv(module.parallel_env(), {first: gate}, {first: 0})
    record = played(bare)
    assert len({str(names) for *_, names in record}) > 5, "nobody was born and nobody died"
    assert played(gated) == record
    assert gate.last > 0


def test_one_gate_for_whoever_comes() -> None:
    gate = open_gate()
    env = GatedParallelEnv(
        generated_agents_parallel_v0.parallel_env(), lambda name: gate, lambda name: 0
    )
    parallel_api_test(env, num_cycles=40)
    assert gate.last > 0
    assert played(env) == played(generated_agents_parallel_v0.parallel_env())


def test_a_stopped_agent_that_dies_and_comes_again_stays_stopped() -> None:
    inner = Family()
    gate = open_gate()
    env = GatedParallelEnv(inner, {"a": gate}, {"a": lambda seen: -1})
    env.reset()
    gate.press("test")
    for names in (["a", "b"], ["b"], ["a", "b"]):
        env.step(dict.fromkeys(names, 5))
    assert [actions.get("a") for actions in inner.seen] == [-1, None, -1]
    assert [actions["b"] for actions in inner.seen] == [5, 5, 5]


class Family(ParallelEnv[str, int, int]):  # type: ignore[misc]
    """Names nobody before; `"__all__"` stands beside the agents, as RLlib has it."""

    metadata = {"name": "family_v0"}  # noqa: RUF012

    def __init__(self) -> None:
        self.seen: list[dict[str, int]] = []

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = ["a", "b"]
        return {"a": 0, "b": 0}, {"a": {}, "b": {}, "__all__": True}

    def step(self, actions: dict[str, int]) -> Any:
        self.seen.append(dict(actions))
        self.agents = ["b"] if len(self.seen) == 1 else ["a", "b"]
        no = dict.fromkeys(actions, False) | {"__all__": False}
        infos = {"a": {"x": 1}, "b": {}, "__all__": True, "__common__": {"x": 2}}
        return dict.fromkeys(actions, 0), dict.fromkeys(actions, 1.0), no, dict(no), infos


def test_keys_that_are_no_agent_s_pass() -> None:
    env = GatedParallelEnv(Family(), {"a": open_gate()}, {"a": 0})
    assert env.reset() == Family().reset()
    bare = Family()
    bare.reset()
    for names in (["a", "b"], ["b"], ["a", "b"]):
        given, expected = env.step(dict.fromkeys(names, 1)), bare.step(dict.fromkeys(names, 1))
        assert given[:4] == expected[:4]
        assert plain(given[4]) == expected[4]
        assert ("oversight" in given[4]["a"]) is ("a" in names)


@pytest.mark.parametrize(
    "over", [wrappers.OrderEnforcingWrapper, wrappers.AssertOutOfBoundsWrapper]
)
def test_agents_in_turn_that_are_born_and_die(over: Callable[[Any], Any]) -> None:
    gate = open_gate()
    api_test(
        over(GatedAECEnv(generated_agents_env_v0.raw_env(), lambda name: gate, lambda name: 0))
    )
    assert gate.last > 0


def test_an_unknown_agent_is_refused_where_all_are_known() -> None:
    class Known(Family):
        possible_agents = ["a", "b"]  # noqa: RUF012

    with pytest.raises(UserError, match=r"'z'.*a, b"):
        GatedParallelEnv(Known(), {"z": open_gate()}, {"z": 0})
    GatedParallelEnv(Family(), {"z": open_gate()}, {"z": 0})
    with pytest.raises(UserError, match="both as functions"):
        GatedParallelEnv(Family(), lambda name: None, {"a": 0})
