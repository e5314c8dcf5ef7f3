"""What is learned of a day nobody asks for is not computed, and what somebody asks for is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from freezetag.core import FOCAL, Arm, Learned, Ref, Scenario
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.later import Later

TRACED: list[str] = []


@dataclass(frozen=True)
class Counts:
    """Counts its days, and says when it is asked to learn."""

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Any) -> Any:
        return jnp.int32(0)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(jnp.where(carry > 0, 0.0, 1.0)), carry

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        TRACED.append("learn")
        return carry + 1


def test_a_single_day_costs_no_program_for_who_could_learn() -> None:
    """Until another arm asks for the policy that it left."""
    pair = ((0, 1),)
    cast = (FOCAL, Ref("players/altruists/always_cooperate"))
    pupil = Pupil("counts", Counts())
    TRACED.clear()
    record = run_arm(Arm(Scenario(Ref("substrates/matrix_game"), cast, pair, 6), 2), pupil, {}, 0)
    assert not TRACED
    assert (record.episode.levels[:, :, 0] == 1).all()
    after = Scenario(Ref("substrates/matrix_game"), (Learned("first", 0), cast[1]), pair, 6)
    second = run_arm(Arm(after, 2), pupil, {"first": record}, 0)
    assert TRACED
    assert (second.episode.levels[:, :, 0] == 0).all()


def test_between_days_it_learns_and_the_last_day_waits() -> None:
    scenario = Scenario(Ref("substrates/matrix_game"), (FOCAL,), ((0, 0),), 4, days=3)
    record = run_arm(Arm(scenario, 2), Pupil("counts", Counts()), {}, 0)
    assert [float(day.levels[0, 0, 0]) for day in record.days] == [1, 0, 0]
    assert [int(record.policies(day)[0][0][0]) for day in range(3)] == [1, 2, 3]


def test_a_value_is_made_once_at_the_first_look() -> None:
    made: list[int] = []
    found = Later()
    found.later(3, lambda: made.append(1) or "policy")
    found[1] = "other"
    assert set(found) == {1, 3}
    assert 3 in found
    assert len(found) == 2
    assert not made
    assert found.get(2) is None
    assert (found[3], found.get(3), dict(found)) == ("policy", "policy", {3: "policy", 1: "other"})
    assert made == [1]
    found.later(1, lambda: "new")
    found[1] = "newer"
    assert found[1] == "newer"
    del found[1]
    assert list(found) == [3]
