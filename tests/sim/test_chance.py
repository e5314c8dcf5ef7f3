"""What an agent in Python keeps: its generators seeded anew, and its numbers that are none."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.workers.batch import batch

from freezetag.sim.chance import reseeded
from freezetag.sim.fingerprints import lost
from freezetag.sim.foreign import Foreign
from freezetag.sim.workers import Worker


class Slotted:
    __slots__ = ("source",)

    def __init__(self, source: Any) -> None:
        self.source = source


class Has:
    """An agent with one thing in it."""

    def __init__(self, it: Any) -> None:
        self.it = it
        self.itself = self


class Gives(Has):
    def parameters(self) -> Any:
        return self.it


def nine(source: Any) -> list[float]:
    return [float(source.random()) for _ in range(9)]


@pytest.mark.parametrize("make", [random.Random, np.random.default_rng, np.random.RandomState])
@pytest.mark.parametrize("within", [lambda x: x, lambda x: {"a": [(x,)]}, Slotted])
def test_generators_are_found_and_draw_by_the_seed_alone(make: Any, within: Any) -> None:
    drawn = []
    for state, seed in ((1, (7, 0)), (2, (7, 0)), (1, (7, 1)), (1, (8, 0))):
        source = make(state)
        assert reseeded(Has(within(source)), seed) == 1
        drawn.append(nine(source))
    assert drawn[0] == drawn[1]
    assert len({tuple(one) for one in drawn}) == 3


def test_two_generators_draw_apart_and_one_held_twice_is_one() -> None:
    one, two = random.Random(1), random.Random(1)
    assert reseeded(Has([one, two, one.random, random]), (3,)) == 2
    assert nine(one) != nine(two)
    assert reseeded(Has(5), (3,)) == 0


@pytest.mark.parametrize(
    ("it", "bad", "given"),
    [
        (1.5, False, False),
        (float("nan"), True, True),
        (float("inf"), False, True),  # among attributes it may stand for "none yet"
        ({"w": [np.zeros(2), np.array([1, np.nan], np.float32)]}, True, True),
        ({"w": [np.array([1, -np.inf])]}, False, True),
        ((np.arange(3), None, "nan", random.Random(1)), False, False),
        (Slotted(float("nan")), True, True),
    ],
)
def test_numbers_that_are_none_are_found_wherever_they_lie(it: Any, bad: bool, given: bool) -> None:
    assert lost(Has(it)) == (bad, "")
    assert lost(Gives(it)) == (given, "")


def test_what_cannot_be_read_has_a_reason_and_what_was_given_is_enough() -> None:
    class Closed:
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise TypeError

    class Part(Gives):
        def parameters(self) -> Any:
            return [1.0]

    class Raises(Has):
        def parameters(self) -> Any:
            raise RuntimeError

    bad, why = lost(Has(Closed()))
    assert not bad
    assert "Closed" in why
    assert lost(Has([Closed(), float("nan")]))[0]
    assert lost(Part(Closed())) == (False, "")
    assert "RuntimeError" in lost(Raises(1.0))[1]


CODE = """
import random

class Agent:
    def __init__(self, seed):
        self.random, self.x = random.Random(seed), 0.0

    def act(self, obs):
        return self.random.randrange(2)

    def learn(self, day):
        self.x = float("nan") if day["own_level"][0] else 0.0
"""


def test_agents_in_a_process_of_their_own_are_asked_alike(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(CODE)
    with Worker(Foreign("python_file", str(tmp_path / "agent.py")), seat=0) as worker:

        def acts() -> Any:
            return np.hstack([worker.act(t, batch(3, step=t), np.ones(3, bool)) for t in range(20)])

        worker.reset([5, 6, 7])
        first = worker.save()
        acts()
        later = worker.save()
        drawn = []
        for states in (first, later):
            worker.load([states[0]] * 3, True, [5, 6, 6])
            drawn.append(acts())
        np.testing.assert_array_equal(*drawn)
        assert len({row.tobytes() for row in drawn[0]}) == 3
        day = {"own_level": [1.0], "valid": [True]}
        worker.learn([day, None, day | {"own_level": [0.0]}])
        assert worker.lost() == [(True, ""), (False, ""), (False, "")]
