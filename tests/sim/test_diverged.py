"""Learners whose parameters stop being numbers; and the agent held as it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from jax.random import uniform

from freezetag.core import FOCAL, GO, Arm, Learned, Panel, Record, Ref, RuntimeLimit, Scenario
from freezetag.core.interlock import UNKNOWN
from freezetag.exam.resolve import resolve
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.diverged import Divergence
from freezetag.sim.foreign import AgentFailed

PD = Ref("substrates/matrix_game")
IDLE = Ref("players/altruists/always_cooperate")
HELD = Ref.of(FOCAL.path, held=True)
STEPS = 6
PD_REST = 1


@dataclass(frozen=True)
class Breaks:
    """Plays C; counts nights; those that drew a lot below .5 come to NaN on the second night, or
    (`online`) as they act on the second day."""

    online: float = 0.0
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return {"lot": uniform(key), "nights": jnp.int32(0), "x": jnp.float32(0)}

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        bad = (carry["nights"] == 1) & (carry["lot"] < 0.5) & (self.online > 0) & (not self.held)
        x = jnp.where(bad, jnp.nan, carry["x"] + (not self.held))
        return obs.at_level(1.0), {**carry, "x": x}

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        nights = carry["nights"] + 1
        bad = (nights == 2) & (carry["lot"] < 0.5) & (self.online == 0)
        return {**carry, "nights": nights, "x": jnp.where(bad, jnp.nan, carry["x"])}

    def frozen(self) -> Breaks:
        return replace(self, held=True)


@dataclass(frozen=True)
class Overflows:
    """Plays C. Its number is 1, 1e30 after the first night, and infinite after the second; with
    `limit` it plays a move that there is not from the night of that number on. Holds an infinite
    number for "none yet"."""

    limit: float = 99.0

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Any) -> Any:
        return jnp.float32(1), jnp.float32(jnp.inf), jnp.float32(0)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0) + jnp.where(carry[2] >= self.limit, 7, 0), carry

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        grows = jnp.where(self.limit > 9, 1e30, 1.0)
        return carry[0] * grows, carry[1], carry[2] + 1


@cache
def played(policy: Any) -> Record:
    return play(policy)


def play(policy: Any, who: Any = FOCAL, days: int = 4, seen: Any = None) -> Record:
    scenario = Scenario(PD, (who, IDLE), ((0, 1),), STEPS, days=days)
    return run_arm(Arm(scenario, 8, equipped=False), Pupil("agent", policy), seen or {}, seed=3)


def broken(record: Record) -> Any:
    lots = record.carries[0][0][0]["lot"] < 0.5
    assert 0 < lots.sum() < 8
    return lots


def test_a_learner_that_comes_to_nan_is_stopped_from_the_next_day_on() -> None:
    record = played(Breaks())
    lots = broken(record)
    first, second, third, fourth = record.days
    for day in (first, second):
        assert (day.mode == GO).all()
        assert (day.levels[:, :, 0] == 1).all()
    for day in (third, fourth):
        stopped = (day.mode[:, 1:, 0] != GO).all(1)
        np.testing.assert_array_equal(stopped, lots)
        assert (day.mode[lots, 1:, 0] == 1 << UNKNOWN).all()  # its panel is that watch alone
        assert (day.executed[lots, :, 0] == PD_REST).all()
        assert (day.mode[:, :, 1] == GO).all()
    (said,) = {event.text for day in record.days for event in day.events}
    assert "after day 2 of learning" in said
    told = [event.b for event in second.events if event.kind == "diverged"]
    np.testing.assert_array_equal(told, lots.nonzero()[0])


def test_what_it_knew_last_is_kept() -> None:
    record = played(Breaks())
    lots = broken(record)
    for day, policies in enumerate(record.carries):
        x = policies[0][0]["x"]
        assert np.isfinite(x).all()
        # Before it learned from the second day; then it is no longer asked to learn from any.
        assert (x[~lots] == STEPS * (day + 1)).all()
    assert (record.carries[1][0][0]["x"][lots] == 2 * STEPS).all()


def test_who_breaks_as_it_acts_keeps_what_it_began_the_day_with() -> None:
    record = played(Breaks(online=1.0))
    lots = broken(record)
    assert (record.carries[1][0][0]["x"][lots] == STEPS).all()
    assert (record.days[1].mode[:, :, 0] == GO).all()
    assert (record.days[2].mode[lots, 1:, 0] != GO).all()


def test_the_watch_takes_the_last_place_of_a_panel() -> None:
    watch = Divergence(Panel((RuntimeLimit(99),)), (2, 3))
    good, bad = np.zeros((2, 4)), np.array([[0.0] * 4, [0, 0, np.nan, 0]])
    kept, events = watch.after(0, 9, 1, {}, good, bad)
    np.testing.assert_array_equal(kept, good)
    np.testing.assert_array_equal(watch.mode, [[0, 0, 0], [0, 1 << (UNKNOWN + 1), 0]])
    assert [(event.b, event.t, event.n) for event in events] == [(1, 9, 1)]
    assert watch.after(1, 9, 1, {"carry": good}, bad, bad)[1] == ()  # told once
    full = Divergence(Panel((RuntimeLimit(99),) * UNKNOWN), (2, 3))
    full.after(0, 9, 0, {}, None, bad)
    assert full.mode[1, 0] == 1 << (2 * UNKNOWN - 1)


def test_the_agent_held_as_it_begins_is_the_beginner_of_the_training() -> None:
    born, trained = play(Breaks(), HELD, days=1), played(Breaks())
    np.testing.assert_array_equal(born.carries[0][0][0]["lot"], trained.carries[0][0][0]["lot"])
    assert (born.carries[0][0][0]["nights"] == 0).all()
    assert (born.carries[0][0][0]["x"] == 0).all()


def test_an_object_in_python_is_held_as_it_begins_and_saved() -> None:
    class Counts:
        def __init__(self) -> None:
            self.nights, self.is_held = 0, False

        def act(self, obs: Any) -> Any:
            return obs["prosocial"] if self.nights == 0 else obs["selfish"]

        def learn(self, day: Any) -> None:
            self.nights += 1

        def freeze(self) -> None:
            self.is_held = True

    pupil = resolve(Counts).pupil
    born = play(pupil.policy, HELD, days=1)
    trained = play(pupil.policy, days=2)
    assert [agent.nights for agent in born.carries[0][0]] == [0] * 8
    assert all(agent.is_held for agent in born.carries[0][0])
    assert [agent.nights for agent in trained.carries[1][0]] == [2] * 8
    for donor, level in ((born, 1.0), (trained, 0.0)):
        copy = play(pupil.policy, Learned("it", seat=0), days=1, seen={"it": donor})
        assert (copy.episode.levels[:, :, 0] == level).all()


def test_an_object_that_comes_to_nan_is_stopped_and_what_it_knew_last_is_kept() -> None:
    class Breaks:
        def __init__(self, seed: int) -> None:
            self.x, self.nights, self.lot = 0.0, 0, seed % 2

        def act(self, obs: Any) -> Any:
            return self.x + obs["prosocial"]  # it would fail on the day after

        def learn(self, day: Any) -> None:
            self.nights += 1
            self.x = float("nan") if self.nights > 1 and self.lot else 0.0

    record = play(resolve(Breaks).pupil.policy)
    lots = np.array([bool(agent.lot) for agent in record.carries[0][0]])
    assert 0 < lots.sum() < 8
    told = [event.b for event in record.days[1].events if event.kind == "diverged"]
    np.testing.assert_array_equal(told, lots.nonzero()[0])
    assert not any(day.events for day in (record.days[0], *record.days[2:]))
    for day in record.days[2:]:
        np.testing.assert_array_equal((day.mode[:, 1:, 0] != GO).all(1), lots)
        assert (day.executed[lots, :, 0] == PD_REST).all()
    for day, policies in enumerate(record.carries):
        nights = np.array([agent.nights for agent in policies[0]])
        assert (nights[~lots] == day + 1).all()
        assert (nights[lots] == 1).all()  # and it learned no more


def test_an_object_that_answers_no_action_is_told_with_its_day() -> None:
    class Fails:
        def __init__(self) -> None:
            self.nights = 0

        def act(self, obs: Any) -> Any:
            return obs["prosocial"] + (float("nan") if self.nights else 0)

        def learn(self, day: Any) -> None:
            self.nights += 1

    with pytest.raises(AgentFailed, match=r"chose nan.*on day 2 of 4"):
        play(resolve(Fails).pupil.policy)


def test_numbers_that_grow_without_end_stop_a_learner_as_nan_does() -> None:
    record = play(Overflows())
    for day in record.days[:2]:
        assert (day.mode == GO).all()
    assert (record.days[2].mode[:, 1:, 0] != GO).all()
    assert {event.b for event in record.days[1].events} == set(range(8))
    for policies in record.carries:
        assert np.isfinite(policies[0][0][0]).all()
        assert np.isinf(policies[0][0][1]).all()  # as it began


def test_an_illegal_action_of_a_player_in_jax_is_told_with_its_day() -> None:
    with pytest.raises(AgentFailed, match=r"Allowed are.*on day 3 of 4"):
        play(Overflows(limit=2.0))
