"""Only where nothing is left to chance are equal repeats a proof: `Record.certain` and `sure`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import FOCAL, Arm, Array, Force, Obs, Press, Record, Ref, Scenario, Tape
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.certain import certain_rows

WORLD = Ref.of("substrates/matrix_game")
CAST = (
    FOCAL,
    Ref("players/exploiters/always_defect"),
    Ref("players/baselines/random_play"),
    Ref("axelrod:Grudger"),
)
ROWS = ((0, 1), (0, 2), (1, 1), (0, 3))
STEADY = catalogue.load(Ref("players/reciprocators/tit_for_tat"))


def arm(world: Ref = WORLD, **changes: Any) -> Arm:
    return Arm(replace(Scenario(world, CAST, ROWS, 4), **changes), 2)


def rows(arm: Arm, focal: Any = STEADY, **seen: Record) -> tuple[bool, ...]:
    return certain_rows(arm, catalogue.load(arm.scenario.substrate), focal, seen)


def test_rows_are_certain_where_world_and_players_say_so() -> None:
    assert rows(arm()) == (True, False, True, False)
    assert rows(arm(press=Press(share=0.5), treatments=(Force((0,), 0.0),)))[0]


@pytest.mark.parametrize(
    "changed",
    [
        arm(Ref.of("substrates/matrix_game", noise=0.01)),
        arm(Ref.of("substrates/matrix_game", continuation=0.9)),
        arm(press=Press(hazard=0.1)),
        arm(days=2),
        arm(treatments=(object(),)),
        Arm(Scenario(Ref("substrates/commons"), CAST, ((1,) * 31,), 4), 2),
    ],
)
def test_what_may_have_chance_in_it_is_not(changed: Arm) -> None:
    assert not any(rows(changed))


def test_of_two_seats_both_orders_of_labels_have_been_seen() -> None:
    """A player may go by its label, so that equal repeats with one label prove nothing."""
    one = np.array([[0, 1]] * 8)
    both = one.copy()
    both[1::2] = [1, 0]

    def with_labels(labels: Array) -> tuple[bool, ...]:
        return certain_rows(arm(), catalogue.load(WORLD), STEADY, {}, None, labels)

    assert not any(with_labels(one))
    assert with_labels(both) == rows(arm())


def test_who_declares_nothing_may_have_chance() -> None:
    @dataclass(frozen=True)
    class Own:
        pass

    assert rows(arm(), Own()) == (False, False, True, False)


def test_a_prepared_stop_may_have_chance_in_it_where_it_can_act() -> None:
    dice, steady = catalogue.load(Ref("players/baselines/random_play")), STEADY

    def with_stop(arm: Arm, stop: Any) -> tuple[bool, ...]:
        return certain_rows(arm, catalogue.load(WORLD), STEADY, {}, stop)

    assert not any(with_stop(arm(), dice))
    assert with_stop(arm(), steady) == rows(arm())
    assert with_stop(replace(arm(), equipped=False), dice) == rows(arm())


@dataclass(frozen=True)
class Denier:
    """It says that there is no chance in it, and throws dice, when it is made and when it acts."""

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jax.random.bernoulli(key)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(1.0 * (carry ^ jax.random.bernoulli(key))), carry


@pytest.mark.slow
@pytest.mark.parametrize("others", [1, 2], ids=["in its seat", "packed"])
def test_who_says_so_has_no_chance(others: int) -> None:
    scenario = Scenario(WORLD, CAST[:2], ((0, 1), (1, 1))[:others], 12)
    record = run_arm(Arm(scenario, 8), Pupil("it", Denier()), {}, 5)
    assert record.certain[0]
    moves = record.episode.executed[:8, :, 0]
    assert (moves == moves[0]).all()


def test_a_tape_is_as_certain_as_its_donor() -> None:
    taped = arm(treatments=(Tape("live", (1,)),))
    known = Record(arm(), (), certain=(True, True))
    assert rows(taped, live=known)[0]
    assert not rows(taped, live=Record(arm(), (), certain=(True, False)))[0]
    assert not rows(taped, live=Record(arm(), ()))[0]


def test_a_record_is_sure_of_rows_that_all_are_certain() -> None:
    record = Record(arm(), (), certain=(True, True, False))
    assert record.sure(slice(2))
    assert not record.sure()
    assert not Record(arm(), ()).sure()
