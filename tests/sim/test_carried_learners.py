"""What the contracts must carry of who learns: its days, held and loaded, in any language."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from tests.sim.carried import RANDOM, TFT, file, pd, run

from freezetag.core import (
    FOCAL,
    Force,
    Learned,
    Ref,
    Scenario,
)
from freezetag.players.reciprocators.tit_for_tat import TitForTat
from freezetag.sim.foreign import AgentFailed
from freezetag.sim.inside import Inside
from freezetag.substrates.commons import Commons

# -- learners in any language


LEARNER = """
class Agent:
    def __init__(self, seed):
        self.days, self.moves = 0, 0

    def act(self, obs):
        self.moves += 1
        return 1 if self.days >= 2 else 0

    def learn(self, day):
        assert len(day["levels"]) == len(day["own_action"]) == len(day["rewards"])
        assert sum(day["present"]) == 1
        self.days += 1
"""


@pytest.mark.slow
def test_a_foreign_learner_is_saved_and_loaded(tmp_path: Path) -> None:
    agent = file(tmp_path, LEARNER)
    train = run(pd(FOCAL, TFT, days=3), agent)
    assert [day.executed[:, :, 0].mean() for day in train.days] == [0, 0, 1]
    seen = {"train": train}
    early = run(pd(Learned("train", 0, day=0), TFT), agent, seen)
    late = run(pd(Learned("train", 0, day=1), TFT), agent, seen)
    assert (early.episode.executed[:, :, 0] == 0).all()
    assert (late.episode.executed[:, :, 0] == 1).all()
    # Held it stays as it was; not held it goes on learning.
    for frozen, last in ((True, 0), (False, 1)):
        donor = Learned("train", 0, day=0, frozen=frozen)
        days = run(pd(donor, TFT, days=2), agent, seen).days
        assert (days[-1].executed[:, :, 0] == last).all()


def test_what_save_gives_and_what_cannot_be_saved(tmp_path: Path) -> None:
    wrong = file(tmp_path, LEARNER + "\n    def save(self):\n        return 'text'\n")
    with pytest.raises(AgentFailed, match="returns bytes"):
        run(pd(FOCAL, TFT, days=2), wrong)
    held = file(tmp_path, LEARNER.replace("self.days, ", "self.f = lambda: 0; self.days, "))
    train = run(pd(FOCAL, TFT, days=2), held)
    with pytest.raises(ValueError, match="give it save"):
        run(pd(Learned("train", 0), TFT), held, {"train": train})


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a process", "here"])
@pytest.mark.parametrize("unwritten", ["", "self.f = lambda: 0; "])
def test_a_beginner_is_held_also_where_its_state_cannot_be_written(
    where: str, unwritten: str, tmp_path: Path
) -> None:
    text = LEARNER.replace("self.days, ", f"{unwritten}self.held, self.days, ").replace(
        "= 0, 0", "= False, 0, 0"
    )
    text = text.replace("return 1 if", "return 1 if self.held or")
    text += "\n    def freeze(self):\n        self.held = True\n"
    agent: Any = file(tmp_path, text)
    if where == "here":
        found: dict[str, Any] = {}
        exec(text, found)
        agent = Inside("object", "Agent", given=found["Agent"])
    for ref, move in ((FOCAL, 0), (Ref.of(FOCAL.path, held=True), 1)):
        assert (run(pd(ref, TFT), agent).episode.executed[:, :, 0] == move).all()


def test_an_agent_that_cannot_be_held_or_hashed_is_named(tmp_path: Path) -> None:
    fails = "\n    def freeze(self):\n        raise OSError('no disk')\n"
    with pytest.raises(AgentFailed, match=r"no disk.*freeze\(\) takes nothing"):
        run(pd(Ref.of(FOCAL.path, held=True), TFT), file(tmp_path, LEARNER + fails))
    ends = "\n    def parameters(self):\n        import os; os._exit(3)\n"
    hashed = pd(FOCAL, TFT, treatments=(Hashed(),))
    with pytest.raises(AgentFailed, match=r"parameters\(\), save\(\) or attributes are read"):
        run(hashed, file(tmp_path, LEARNER + ends))


@dataclass(frozen=True)
class Hashed:
    """Asks for hashes of who sits at seat 0."""

    hashed: ClassVar[tuple[int, ...]] = (0,)


@dataclass(frozen=True)
class Deaf:
    """What learners are told of the others is taken away. Hook: learn."""

    def learn(self, data: Any, seat: int, day: Any) -> Any:
        return {**day, "mean_level": day["mean_level"] * 0}


@dataclass(frozen=True)
class Remembers:
    learns: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return jnp.zeros(2, jnp.float32)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        others = (day["levels"] * day["present"]).sum()
        return jnp.stack([day["mean_level"].sum(), others]).astype(jnp.float32)


def test_the_learn_hook_is_called_and_a_day_says_who_was_seen() -> None:
    scenario = pd(FOCAL, RANDOM, days=1)
    plain = run(scenario, Remembers()).policies(-1)[0][0]
    deaf = run(replace(scenario, treatments=(Deaf(),)), Remembers()).policies(-1)[0][0]
    assert np.allclose(plain[:, 0], plain[:, 1])
    assert (plain[:, 0] > 0).all()
    assert (deaf[:, 0] == 0).all()
    assert np.array_equal(deaf[:, 1], plain[:, 1])


# -- days


def test_three_days_in_one_world() -> None:
    """A commons keeps its stock: greedy for a day, and the next day begins with what is left."""
    scenario = Scenario(Commons(players=5), (RANDOM,), ((0,) * 5,), 1, days=3)
    gentle = Force(tuple(range(5)), 0.4, 0, 1)
    kept = run(replace(scenario, keeps_world=True, treatments=(gentle,)), TitForTat())
    fresh = run(replace(scenario, treatments=(gentle,)), TitForTat())
    stocks = [day.world["stock"][:, -1] for day in kept.days]
    assert (stocks[0] == fresh.days[0].world["stock"][:, -1]).all()
    assert (stocks[2] < stocks[1]).all() or (stocks[1] < stocks[0]).all()
    assert len({float(day.world["stock"][0, -1]) for day in fresh.days}) == 1


@pytest.mark.slow
def test_only_the_days_that_are_asked_for_stay_in_memory() -> None:
    record = run(pd(FOCAL, Ref("players/learners/q_learning"), days=5), TitForTat(), keep=(1, -1))
    assert record.arm.kept == (1, 4)
    assert len(record.days) == len(record.carries) == 2
    assert record.policies(4)[1] is record.carries[-1][1]
    with pytest.raises(ValueError, match="day 2 was not kept"):
        record.policies(2)
    whole = run(pd(FOCAL, Ref("players/learners/q_learning"), days=5), TitForTat())
    assert np.array_equal(record.days[0].executed, whole.days[1].executed)
