"""Behind an open gate Gymnasium's environments and wrappers are what they are without one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector

from freezetag.adapters.gates.gymnasium import GatedEnv, GatedVectorEnv
from freezetag.core import Panel
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate

COPIES, STEPS = 3, 12
# Gymnasium warns of its own environments and wrappers, with a gate and without.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*WARN.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning"),
]


def open_gate() -> Gate:
    return Gate(Panel(), clock=SteppedClock(), enrolments=())


class Boxes(gymnasium.Env[Any, Any]):
    """Ends after four steps in the second copy, six elsewhere; infos of several kinds."""

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012

    def __init__(self, length: int = 6, render_mode: str | None = None) -> None:
        self.length, self.render_mode = length, render_mode

    def _seen(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.at = 0
        return self._seen(), {"fresh": True}

    def step(self, action: Any) -> Any:
        self.at += 1
        info: dict[str, Any] = {"at": self.at, "deep": {"x": float(action[0])}}
        if self.at % 2:
            info["word"] = "odd"
        return self._seen(), float(np.sum(action)), self.at >= self.length, False, info

    def render(self) -> Any:
        return np.full((4, 4, 3), self.at, np.uint8)


def same(one: Any, other: Any) -> bool:
    """Equality through dicts, tuples and arrays, types of arrays included; times apart."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(
            same(one[k], other[k]) for k in one if k not in ("t", "_t")
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray) and one.dtype != object:
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, np.ndarray):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def without(info: Any) -> Any:
    """The infos less what the gate adds."""
    if isinstance(info, list):
        return [without(each) for each in info]
    return {key: value for key, value in info.items() if key not in ("oversight", "_oversight")}


def played(env: Any, *, batch: bool, until: Callable[[int], None] = lambda t: None) -> list[Any]:
    """Everything that `STEPS` steps under fixed seeds give, resetting what does not by itself."""
    env.action_space.seed(5)
    seen, info = env.reset(seed=3)
    record = [(seen, without(info))]
    by_hand = not batch or env.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    for t in range(STEPS):
        until(t)
        seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
        record.append((seen, reward, terminated, truncated, without(info)))
        if by_hand and np.any(over := np.logical_or(terminated, truncated)):
            options = {"options": {"reset_mask": over}} if batch else {}
            seen, info = env.reset(**options)
            record.append((seen, without(info)))
    env.close()
    return record


# One environment.

NAMES = [
    *("CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Acrobot-v1"),
    *("Blackjack-v1", "FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"),
]


@pytest.mark.parametrize("name", NAMES)
def test_an_environment_behind_an_open_gate_is_the_same(name: str) -> None:
    bare = played(gymnasium.make(name), batch=False)
    assert same(bare, played(GatedEnv(gymnasium.make(name), open_gate()), batch=False))


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_s_own_checks_pass(name: str) -> None:
    def said(env: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_env(env, skip_render_check=True)  # pygame is not installed
        return [str(each.message).partition("(<")[0] for each in caught]

    wrapped = gymnasium.wrappers.TransformReward(gymnasium.make(name), float)
    assert said(GatedEnv(gymnasium.make(name), open_gate())) == said(wrapped)


def test_what_the_spec_makes_stands_behind_the_same_gate() -> None:
    gate = open_gate()
    env = GatedEnv(gymnasium.make("CartPole-v1"), gate)
    made = gymnasium.wrappers.TimeLimit(env, 5).spec.make()
    made.reset()
    made.step(0)
    assert gate.last == 1
    gate.press("test")
    assert made.step(0)[3]


SINGLE: dict[str, Callable[[Any], Any]] = {
    "AddRenderObservation": lambda w: lambda e: w(e, render_only=True),
    "AddWhiteNoise": lambda w: None,
    "Autoreset": lambda w: w,
    "ClipAction": lambda w: w,
    "ClipReward": lambda w: lambda e: w(e, -0.5, 0.5),
    "DelayObservation": lambda w: lambda e: w(e, 2),
    "DiscretizeAction": lambda w: lambda e: w(e, 3),
    "DiscretizeObservation": lambda w: lambda e: w(e, 3),
    "DtypeObservation": lambda w: lambda e: w(e, np.float64),
    "FlattenObservation": lambda w: w,
    "FrameStackObservation": lambda w: lambda e: w(e, 2),
    "MaxAndSkipObservation": lambda w: lambda e: w(e, 2),
    "NormalizeObservation": lambda w: w,
    "NormalizeReward": lambda w: w,
    "OrderEnforcing": lambda w: w,
    "PassiveEnvChecker": lambda w: w,
    "RecordEpisodeStatistics": lambda w: w,
    "RenderCollection": lambda w: w,
    "RepeatAction": lambda w: lambda e: w(e, 2),
    "RescaleAction": lambda w: lambda e: w(e, 0.0, 1.0),
    "RescaleObservation": lambda w: lambda e: w(e, 0.0, 1.0),
    "ReshapeObservation": lambda w: lambda e: w(e, (2, 1)),
    "StickyAction": lambda w: lambda e: w(e, 0.5),
    "TimeAwareObservation": lambda w: lambda e: w(gymnasium.wrappers.TimeLimit(e, 9)),
    "TimeLimit": lambda w: lambda e: w(e, 3),
    "TransformAction": lambda w: lambda e: w(e, lambda a: a / 2, e.action_space),
    "TransformObservation": lambda w: lambda e: w(e, lambda o: o / 2, e.observation_space),
    "TransformReward": lambda w: lambda e: w(e, lambda r: r / 2),
}
BATCH: dict[str, Callable[[Any], Any]] = {
    "ClipAction": lambda w: w,
    "ClipReward": lambda w: lambda e: w(e, -0.5, 0.5),
    "DictInfoToList": lambda w: w,
    "DtypeObservation": lambda w: lambda e: w(e, np.float64),
    "FlattenObservation": lambda w: w,
    "NormalizeObservation": lambda w: w,
    "NormalizeReward": lambda w: w,
    "RecordEpisodeStatistics": lambda w: w,
    "RescaleAction": lambda w: lambda e: w(e, 0.0, 1.0),
    "RescaleObservation": lambda w: lambda e: w(e, 0.0, 1.0),
    "ReshapeObservation": lambda w: lambda e: w(e, (2, 1)),
    "TransformAction": lambda w: lambda e: w(e, lambda a: a / 2),
    "TransformObservation": lambda w: lambda e: w(e, lambda o: o / 2),
    "TransformReward": lambda w: lambda e: w(e, lambda r: r / 2),
    "VectorizeTransformAction": lambda w: (
        lambda e: w(
            e,
            gymnasium.wrappers.TransformAction,
            func=lambda a: a / 2,
            action_space=e.single_action_space,
        )
    ),
    "VectorizeTransformObservation": lambda w: (
        lambda e: w(
            e,
            gymnasium.wrappers.TransformObservation,
            func=lambda o: o / 2,
            observation_space=e.single_observation_space,
        )
    ),
    "VectorizeTransformReward": lambda w: (
        lambda e: w(e, gymnasium.wrappers.TransformReward, func=lambda r: r / 2)
    ),
}
NOT_HERE = {
    "vector": "a module",
    "AtariPreprocessing": "needs an emulator of Atari games",
    "AddWhiteNoise": "draws from the machine's entropy, so no two runs are equal",
    "ObstructView": "draws images only",
    "FilterObservation": "takes spaces of dicts; the gate sees actions",
    "GrayscaleObservation": "images",
    "ResizeObservation": "images",
    "RecordVideo": "needs moviepy",
    "HumanRendering": "needs pygame and a screen",
    "ArrayConversion": "needs array_api_compat; see the test of what infos hold",
    "JaxToNumpy": "needs array_api_compat; see the test of what infos hold",
    "JaxToTorch": "needs torch; see the test of what infos hold",
    "NumpyToTorch": "needs torch; see the test of what infos hold",
}


@pytest.mark.parametrize(("module", "table"), [(gymnasium.wrappers, SINGLE), (vector, BATCH)])
def test_each_of_them_is_here_or_has_a_reason(module: Any, table: Any) -> None:
    base = {"VectorObservationWrapper", "VectorActionWrapper", "VectorRewardWrapper"}
    assert set(module.__all__) - base - set(NOT_HERE) == set(table) - set(NOT_HERE)


@pytest.mark.parametrize("name", sorted(SINGLE.keys() - NOT_HERE.keys()))
@pytest.mark.parametrize("stops", [False, True])
def test_wrappers_of_one_environment(name: str, stops: bool) -> None:
    over = SINGLE[name](getattr(gymnasium.wrappers, name))
    bare = played(over(Boxes(render_mode="rgb_array")), batch=False)
    gate = open_gate()
    gated = over(GatedEnv(Boxes(render_mode="rgb_array"), gate))

    def until(t: int) -> None:
        if stops and t == 5:
            gate.press("test")

    record = played(gated, batch=False, until=until)
    assert stops or same(bare, record)


# Many copies.

MODES = list(AutoresetMode)


def copies(mode: AutoresetMode, kind: Any = SyncVectorEnv) -> Any:
    made = [Boxes, lambda: Boxes(4), Boxes]
    return kind(made, autoreset_mode=mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(BATCH))
@pytest.mark.parametrize("stops", [False, True])
def test_wrappers_of_many_copies_in_every_mode(name: str, mode: AutoresetMode, stops: bool) -> None:
    over = BATCH[name](getattr(vector, name))
    gate = open_gate()
    try:
        bare = played(over(copies(mode)), batch=True)
    except ValueError:  # a wrapper that does not take this mode
        with pytest.raises(ValueError, match="autoreset_mode"):
            over(GatedVectorEnv(copies(mode), gate))
        return

    def until(t: int) -> None:
        if stops and t == 5:
            gate.press("test")

    record = played(over(GatedVectorEnv(copies(mode), gate)), batch=True, until=until)
    assert stops or same(bare, record)
    last = record[-1] if len(record[-1]) == 5 else record[-2]
    assert not stops or np.all(last[3]), "a stopped copy was not truncated"


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_copies_in_processes_of_their_own(mode: AutoresetMode) -> None:
    bare = played(copies(mode, SyncVectorEnv), batch=True)
    assert same(bare, played(GatedVectorEnv(copies(mode), open_gate()), batch=True))


def test_a_gate_under_a_vector_of_gated_copies() -> None:
    gate = open_gate()
    env = SyncVectorEnv([lambda: GatedEnv(Boxes(), gate, prepared=np.zeros(2, np.float32))] * 2)
    env.reset(seed=1)
    env.action_space.seed(1)
    *_, info = env.step(env.action_space.sample())
    assert info["oversight"]["admitted"].tolist() == [True, True]
    assert info["_oversight"].tolist() == [True, True]
    gate.press("test")
    *_, info = env.step(env.action_space.sample())
    assert info["oversight"]["admitted"].tolist() == [False, False]
    assert info["deep"]["x"].tolist() == [0.0, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stops", [False, True])
def test_infos_of_a_gate_are_arrays_of_numbers_with_masks(mode: AutoresetMode, stops: bool) -> None:
    """Wrappers that convert infos to another library's arrays can take nothing else."""
    gate = open_gate()
    env = GatedVectorEnv(copies(mode), gate)
    env.reset(seed=1)
    env.action_space.seed(1)
    if stops:
        gate.press("test")
    *_, info = env.step(env.action_space.sample())
    assert info["_oversight"].tolist() == [True] * COPIES
    for key in ("admitted", "mode"):
        value, mask = info["oversight"][key], info["oversight"][f"_{key}"]
        assert (value.shape, mask.tolist()) == ((COPIES,), [True] * COPIES)
        assert value.dtype.kind in "bi"
    assert info["oversight"]["admitted"].tolist() == [not stops] * COPIES
    assert ("final_obs" in info) is (stops and mode is AutoresetMode.SAME_STEP)
    assert env.oversight["reason"] == ("stopped by local: test" if stops else "")


def test_the_step_of_a_reset_counts_as_a_step() -> None:
    """NEXT_STEP: the action after an end is ignored by the environment, and was asked for."""
    gate = open_gate()
    env = GatedVectorEnv(SyncVectorEnv([lambda: Boxes(1)]), gate)
    env.reset(seed=1)
    action = np.zeros((1, 2), np.float32)
    assert env.step(action)[2].tolist() == [True]
    *_, info = env.step(action)
    assert "fresh" in info
    assert gate.last == 2


def test_the_page_says_what_counts() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "gate-an-environment.md"
    text = page.read_text(encoding="utf-8")
    assert all(mode.name in text for mode in MODES)
