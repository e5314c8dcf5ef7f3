"""The two worlds as objects: what they are made of, and what each says of bad input."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from freezetag.core import (
    GO,
    BadModel,
    Model,
    Panel,
    PowerLimit,
    RuntimeLimit,
    StopButton,
    UserError,
)
from freezetag.planning.solvers.planner import NoSuch, plan
from freezetag.planning.worlds.learning_world import LearningWorld, Moded, NoSensor
from freezetag.planning.worlds.planning_world import BadReward, PlanningWorld
from freezetag.substrates.button import Button
from freezetag.substrates.invest import Invest
from freezetag.substrates.race import Race


def model(after: Any, actions: tuple[str, ...] = ("stop", "work"), start: Any = None) -> Model:
    """State "a", where both actions stay but `work` leads to what the test wants."""
    return Model.of(
        start or {"a": 1}, actions, lambda s, a: after if (s, a) == ("a", "work") else {s: 1}
    )


BAD_ROWS = [
    ({"a": 0.5, "b": 0.4}, "chances sum to 0.9, not to 1"),
    ({}, "chances sum to 0, not to 1"),
    ({"a": 1.2, "b": -0.2}, "the chance of 'b' is -0.2, not a number >= 0"),
    ({"a": math.nan}, "the chance of 'a' is nan"),
    ({"a": math.inf}, "chances sum to inf"),
    ({"a": "all"}, "the chance of 'a' is 'all'"),
    ({"a": None}, "the chance of 'a' is None"),
    (["a"], r"got \['a'\]. Give the chance of each state"),
]


@pytest.mark.parametrize(("after", "message"), BAD_ROWS, ids=repr)
def test_a_bad_row_is_named(after: Any, message: str) -> None:
    with pytest.raises(BadModel, match=message) as caught:
        model(after)
    assert "state 'a', action 'work'" in str(caught.value)
    assert isinstance(caught.value, UserError)
    if after:
        with pytest.raises(BadModel, match=message):
            model({"a": 1}).replaced(lambda s, a, now: after if a == "work" else now)


def test_a_bad_start_is_named() -> None:
    with pytest.raises(BadModel, match="the start: chances sum to 0"):
        model({"a": 1}, start={"a": 0.5})


def test_a_stop_action_is_needed() -> None:
    with pytest.raises(BadModel, match="no action 'stop' among go, work"):
        model({"a": 1}, actions=("go", "work"))


def test_a_panel_must_be_able_to_stop() -> None:
    held = Model.of(
        {"a": 1}, ("stop", "work"), lambda s, a: None if (s, a) == ("b", "stop") else {"b": 1}
    )
    LearningWorld(held)  # without a panel nothing needs to be stopped
    with pytest.raises(BadModel, match=r"state 'b': .* action 'stop' is not allowed"):
        LearningWorld(held, Panel((RuntimeLimit(3),)))


@pytest.mark.parametrize("limit", [StopButton(), RuntimeLimit(3, sensor="fuel")], ids=repr)
def test_a_sensor_must_exist(limit: Any) -> None:
    bare = model({"a": 1})
    with pytest.raises(NoSensor, match=f"reads {limit.sensor!r}; this world offers power, runtime"):
        LearningWorld(bare, Panel((limit,)))


@pytest.mark.parametrize("limit", ["12", None, math.nan])
def test_a_limit_must_be_a_number(limit: Any) -> None:
    with pytest.raises(ValueError, match="PowerLimit: u_max must be a number, got"):
        PowerLimit(limit)


def test_power_is_reported_in_every_state() -> None:
    with pytest.raises(BadModel, match="power has 2 values for 1 states"):
        LearningWorld(model({"a": 1}), Panel((PowerLimit(1.0),)), power=(1.0, 2.0))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "much"], ids=repr)
def test_a_bad_reward_is_named(value: Any) -> None:
    planning = PlanningWorld(
        model({"b": 1}), lambda s, t: value if (s, t) == ("a", "b") else 0.0, 0.9
    )
    with pytest.raises(BadReward) as caught:
        plan(planning)
    assert "from state 'a' (action 'work') to 'b'" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("discount", [0, 1, -0.5, math.nan, "0.9", None], ids=repr)
def test_a_bad_discount_is_refused(discount: Any) -> None:
    with pytest.raises(ValueError, match="the discount must lie in"):
        PlanningWorld(model({"a": 1}), lambda s, t: 0, discount)


def test_what_a_plan_does_not_have() -> None:
    found = plan(PlanningWorld(model({"a": 1}), lambda s, t: 0, 0.9))
    with pytest.raises(NoSuch, match="no state 'z' here; states look like 'a'"):
        found.value("z")
    with pytest.raises(NoSuch, match="no action 'fly'; there are stop, work"):
        found.q("a", "fly")


def test_fractions_all_the_way() -> None:
    """Chances, rewards and the discount may be fractions."""
    world = Button(hazard=Fraction(1, 10), discount=Fraction(9, 10))
    found = plan(PlanningWorld(world.model(), world.reward, world.discount))
    assert found.value(found.start) == pytest.approx(10)


@pytest.mark.parametrize("panel", [Panel((StopButton(),)), Panel((RuntimeLimit(4), StopButton()))])
def test_state_and_mode_as_one_chain(panel: Panel) -> None:
    """Rows sum to 1; a stopped core can only stop; the mode is the one that decides the action."""
    learning = LearningWorld(Race().model(), panel)
    moded = learning.with_mode()
    for at, row in zip(moded.states, moded.rows, strict=True):
        assert sum(sum(float(p) for _, p in pairs) > 0 for pairs in row) == (
            len(moded.actions) if at.mode == GO else 1
        )
        assert all(sum(p for _, p in pairs) == pytest.approx(1) for pairs in row if pairs)
        button = moded.sensors["button"][moded.states.index(at)]
        assert at.mode != GO or not button
    free = learning.with_mode(bound=False)
    assert all(all(row) for row in free.rows)


def test_steps_are_counted_only_where_a_timer_reads_them() -> None:
    env = Invest().model()
    assert all(at.step == 0 for at in LearningWorld(env).with_mode().states)
    steps = {at.step for at in LearningWorld(env, Panel((RuntimeLimit(3),))).with_mode().states}
    assert steps == {0, 1, 2}


def test_a_power_limit_trips_until_power_is_reported() -> None:
    learning = LearningWorld(Race().model(), Panel((PowerLimit(1e9),)))
    mode, acts = learning.latch(GO, 0, 0)
    assert not acts
    assert learning.panel.causes(mode)[0].kind == "unknown"
    assert learning.without_interlocks().latch(GO, 0, 0) == (GO, True)


def test_a_start_that_is_stopped() -> None:
    """M_{-1} may be stop: then nothing is ever done."""
    world = Button()
    learning = LearningWorld(world.model(), Panel((StopButton(),)), mode=1)
    found = plan(learning.factual(world.reward, world.discount))
    assert found.value(found.start) == 0
    assert found.start == Moded(world.model().states[0], 1)


@pytest.mark.parametrize("world", [Button(), Race(), Invest()])
def test_a_world_s_own_table_is_what_is_planned_with(world: Any) -> None:
    """What the substrate draws from and what the planner reads are the same rows."""
    rows = world.model().rows
    table = world.as_data()
    for s, row in enumerate(rows):
        for a, pairs in enumerate(row):
            cumulative = np.cumsum([float(p) for _, p in pairs])[:-1]
            assert table.successors[s, a, : len(pairs)].tolist() == [there for there, _ in pairs]
            assert table.chances[s, a, : len(pairs) - 1] == pytest.approx(cumulative)
