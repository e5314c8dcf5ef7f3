"""Environments behind a gate: what was refused never reached the environment, which keeps count."""

from __future__ import annotations

import json
from asyncio import CancelledError
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import parallel_api_test

from freezetag.adapters.agents.pettingzoo import to_parallel_env
from freezetag.adapters.gates.gymnasium import GatedEnv, GatedVectorEnv
from freezetag.adapters.gates.pettingzoo import GatedAECEnv, GatedParallelEnv
from freezetag.core import Panel, PowerLimit, RuntimeLimit, UserError
from freezetag.core.journal import Journal, read
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.substrates.commons import Commons

IDLE = 3


class Recorder(gymnasium.Env[int, int]):
    """An environment that writes down every action that reaches it: the oracle."""

    observation_space = spaces.Discrete(100)
    action_space = spaces.Discrete(10)

    def __init__(self) -> None:
        self.seen: list[int] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.seen.append(int(action))
        return len(self.seen) % 100, 1.0, False, False, {"own": True}


def gate_of(
    *limits: Any, clock: SteppedClock | None = None, **options: Any
) -> tuple[Gate, SteppedClock]:
    clock = clock or SteppedClock()
    meters = {"runtime": clock, **options.pop("meters", {})}
    gate = Gate(Panel(limits), clock=clock, enrolments=(), meters=meters, **options)
    return gate, clock


@given(limit=st.integers(0, 12), steps=st.integers(0, 20))
def test_a_runtime_limit_admits_exactly_its_steps(limit: int, steps: int) -> None:
    gate, clock = gate_of(RuntimeLimit(limit))
    inner = Recorder()
    env = GatedEnv(inner, gate, prepared=IDLE, advance=clock.advance)
    env.reset()
    for t in range(steps):
        *_, info = env.step(7)
        assert info["oversight"]["admitted"] is (t < limit)
        assert info["own"]
    assert inner.seen == [7] * min(steps, limit) + [IDLE] * max(0, steps - limit)


def test_without_a_prepared_action_the_episode_is_truncated() -> None:
    gate, clock = gate_of(RuntimeLimit(2))
    inner = Recorder()
    env = GatedEnv(inner, gate, advance=clock.advance)
    env.reset()
    env.step(1)
    observation, reward, terminated, truncated, info = [env.step(1), env.step(1)][1]
    assert (observation, reward, terminated, truncated) == (2, 0.0, False, True)
    assert info["oversight"]["admitted"] is False
    assert env.oversight["trips"] == ["RuntimeLimit runtime exceeded"]
    assert inner.seen == [1, 1]
    env.reset()
    assert env.step(1)[3], "a reset of the environment opened the gate"


@pytest.mark.parametrize("reading", [float("nan"), None, "much"])
def test_a_meter_that_is_no_number_stops(reading: Any) -> None:
    power = [1.0]
    gate, clock = gate_of(PowerLimit(5.0), meters={"power": lambda: power[0]})
    inner = Recorder()
    env = GatedEnv(inner, gate, prepared=lambda seen: seen, advance=clock.advance)
    env.reset()
    env.step(9)
    power[0] = reading
    env.step(9)
    assert env.oversight["trips"] == ["PowerLimit power unknown"]
    power[0] = 1.0
    env.step(9)
    assert inner.seen == [9, 1, 2], "the latch let go, or the prepared function saw another state"


def test_the_journal_holds_every_decision() -> None:
    lines: list[bytes] = []
    gate, clock = gate_of(RuntimeLimit(2), journal=Journal(lines.append))
    env = GatedEnv(Recorder(), gate, prepared=np.int64(IDLE), advance=clock.advance)
    env.reset()
    for action in (np.int64(4), np.array([5]), 6):
        env.step(action if np.ndim(action) == 0 else action[0])
    kinds = [entry["kind"] for entry in read(lines)]
    assert [kinds.count(kind) for kind in ("begin", "end", "refused")] == [2, 2, 1]
    taken = [entry["detail"]["action"] for entry in read(lines) if entry["kind"] == "begin"]
    assert taken == [4, 5]


def test_a_vector_of_copies_is_stopped_together() -> None:
    copies = [Recorder(), Recorder()]
    gate, clock = gate_of(RuntimeLimit(1))
    env = GatedVectorEnv(
        SyncVectorEnv([lambda c=c: c for c in copies]),
        gate,
        prepared=np.array([IDLE, IDLE]),
        advance=clock.advance,
    )
    env.reset()
    env.step(np.array([1, 2]))
    info = env.step(np.array([1, 2]))[-1]
    assert info["oversight"]["admitted"].tolist() == [False, False]
    assert [copy.seen for copy in copies] == [[1, IDLE], [2, IDLE]]
    bare = GatedVectorEnv(SyncVectorEnv([Recorder]), gate)
    bare.reset()
    assert bare.step(np.array([1]))[3].tolist() == [True]


class Class(ParallelEnv[str, int, int]):  # type: ignore[misc]
    """Three agents; the oracle is the list of joint actions."""

    metadata = {"name": "class_v0"}  # noqa: RUF012
    possible_agents = ["a", "b", "c"]  # noqa: RUF012

    def __init__(self) -> None:
        self.seen: list[dict[str, int]] = []

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        return dict.fromkeys(self.agents, 0), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        self.seen.append(dict(actions))
        no = dict.fromkeys(self.agents, False)
        infos = {agent: {} for agent in self.agents}
        return dict.fromkeys(self.agents, 0), dict.fromkeys(self.agents, 1.0), no, no, infos


def test_a_group_stop_replaces_the_stopped_and_lets_the_others_play() -> None:
    inner = Class()
    clock = SteppedClock()
    gates = {name: gate_of(clock=clock, name=name)[0] for name in ("a", "b")}
    env = GatedParallelEnv(
        inner, gates, {"a": 0, "b": lambda seen: seen + 5}, advance=clock.advance
    )
    env.reset()
    everybody = {"a": 1, "b": 2, "c": 3}
    env.step(everybody)
    gates["a"].press("test")
    env.step(everybody)
    gates["b"].press("test")
    *_, infos = env.step(everybody)
    assert inner.seen == [everybody, {**everybody, "a": 0}, {"a": 0, "b": 5, "c": 3}]
    assert [infos[name].get("oversight", {}).get("admitted") for name in "abc"] == [
        False,
        False,
        None,
    ]


class InTurn(AECEnv[str, int, int]):  # type: ignore[misc]
    metadata = {"name": "in_turn_v0"}  # noqa: RUF012
    possible_agents = ["a", "b"]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.agents = list(self.possible_agents)
        self.agent_selection = "a"
        self.terminations = self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}

    def observe(self, agent: str) -> int:
        return 8

    def step(self, action: int) -> None:
        self.seen.append((self.agent_selection, action))
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = "b" if self.agent_selection == "a" else "a"


def test_agents_in_turn() -> None:
    inner = InTurn()
    gate, clock = gate_of(RuntimeLimit(1))
    env = GatedAECEnv(inner, {"a": gate}, {"a": 0}, advance=lambda agent: clock.advance())
    env.reset()
    for action in (1, 2, 1, 2):
        env.step(action)
    assert inner.seen == [("a", 1), ("b", 2), ("a", 0), ("b", 2)]
    assert env.infos["a"]["oversight"]["admitted"] is False
    assert env.infos["b"] == {}


def broken(kind: type[Any], error: BaseException) -> Any:
    """Such an environment, whose steps end so."""

    class Broken(kind):  # type: ignore[misc]
        def step(self, action: Any) -> Any:
            raise error

    return Broken()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError("the robot fell over"), "failed"),
        (KeyboardInterrupt(), "unknown"),
        (SystemExit(1), "unknown"),
        (GeneratorExit(), "unknown"),
        (CancelledError(), "unknown"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("way", ["one", "vector", "parallel", "in turn"])
def test_a_step_that_failed_is_told_from_one_that_was_abandoned(
    way: str, error: BaseException, outcome: str
) -> None:
    """It ends at once, and the clock goes on; what was abandoned may still take effect."""
    lines: list[bytes] = []
    clock = SteppedClock()
    gate, other = (
        gate_of(clock=clock, name=name, journal=Journal(lines.append))[0] for name in "ab"
    )
    began = clock()
    env: Any
    action: Any = 1
    if way == "one":
        env = GatedEnv(broken(Recorder, error), gate, advance=clock.advance)
    elif way == "vector":
        copies = SyncVectorEnv([lambda: broken(Recorder, error)])
        env, action = GatedVectorEnv(copies, gate, advance=clock.advance), np.array([1])
    elif way == "parallel":
        gates = {"a": gate, "b": other}
        env = GatedParallelEnv(broken(Class, error), gates, {"a": 0, "b": 0}, advance=clock.advance)
        action = {"a": 1, "b": 1, "c": 1}
    else:
        env = GatedAECEnv(
            broken(InTurn, error), {"a": gate}, {"a": 0}, advance=lambda agent: clock.advance()
        )
    env.reset()
    with pytest.raises(type(error)):
        env.step(action)
    assert (gate.in_flight, other.in_flight, clock() - began) == (0, 0, 1)
    ends = [json.loads(line)["outcome"] for line in lines if json.loads(line)["kind"] == "end"]
    assert ends == [outcome] * (2 if way == "parallel" else 1)


def test_the_wrapper_keeps_the_parallel_api() -> None:
    gate, clock = gate_of(RuntimeLimit(3))
    world = to_parallel_env(Commons(players=3), horizon=8)
    env = GatedParallelEnv(world, {"seat_1": gate}, {"seat_1": 0}, advance=clock.advance)
    parallel_api_test(env, num_cycles=10)


def test_bad_input() -> None:
    gate, _ = gate_of()
    with pytest.raises(UserError, match="not a gate"):
        GatedEnv(Recorder(), None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"'z'.*a, b, c"):
        GatedParallelEnv(Class(), {"z": gate}, {"z": 0})
    with pytest.raises(UserError, match="prepared"):
        GatedParallelEnv(Class(), {"a": gate}, {})
    with pytest.raises(UserError, match="lacks begin"):
        GatedParallelEnv(Class(), {"a": object()}, {"a": 0})  # type: ignore[dict-item]
