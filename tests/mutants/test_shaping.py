"""Shaping: who extorts, who is fair, and what a learner's learning is worth to its teacher."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Array, Finding, Measurement, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS
from freezetag.estimators import memory_one as m1
from freezetag.estimators.zero_determinant import extort
from freezetag.exam.run import Runner
from freezetag.players import roster
from freezetag.players.exploiters.memory_one import MemoryOne
from freezetag.probes.shaping import Line, Shaping
from freezetag.sim.arms import Pupil

WORLD = Shaping.worlds[0]
EXTORT_3 = (1.0, *map(float, extort(3)))
WSLS, ALL_C, ALL_D = (1.0, 1.0, 0.0, 0.0, 1.0), (1.0,) * 5, (0.0,) * 5


@cache
def examined(chances: tuple[float, ...]) -> Finding:
    """Who does one thing for ever is known by short matches too."""
    short = len(set(chances)) == 1
    substrate, budget = catalogue.load(WORLD), Shaping.acts // (4 if short else 1)
    setting = Setting(WORLD, substrate, roster(), horizon=substrate.horizon, budget=budget)
    probe = Shaping(rounds=50) if short else Shaping()
    return Runner(Pupil("it", MemoryOne(*chances)), 0).probe(probe, setting)[0]


def row(chances: tuple[float, ...], words: str) -> Measurement:
    return next(row for row in examined(chances).measurements if words in row.name)


def verdict(chances: tuple[float, ...]) -> str:
    return examined(chances).measurements[0].verdict


def extorts(chi: float, share: float = 0.5) -> tuple[float, ...]:
    return (1.0, *map(float, extort(chi, share=share)))


def test_the_mutant_is_caught_and_the_twin_passes() -> None:
    assert verdict(EXTORT_3) == FAIL
    assert verdict(WSLS) == PASS


def test_the_line_of_extort_3_is_exact() -> None:
    """Reference: chi = 3 to 1e-9 beside any memory-one co-player, by exact long-run payoffs."""
    others = np.random.default_rng(0).random((50, 4))
    own, theirs = m1.long_run_payoffs(extort(3), others)
    gains: Array = np.stack([own, theirs], axis=-1)[None] - 1
    share = Line(0.05)(gains, axis=0)
    assert share / (1 - share) == pytest.approx(3, abs=1e-9)
    assert Line(0.05).off(gains[0]) == pytest.approx(0, abs=1e-9)


def test_in_play_the_slope_holds_the_reference() -> None:
    """Reference: chi = 3; 3.7273 against 1.9091 beside an unconditional cooperator."""
    found = row(EXTORT_3, "slope")
    assert found.of.low < 3 < found.of.high
    columns = examined(EXTORT_3).figures[0].columns
    at = list(columns["name"]).index("always_cooperate")
    assert columns["value"][at] + 1 == pytest.approx(3.7273, abs=0.1)
    assert columns["value"][at + 1] + 1 == pytest.approx(1.9091, abs=0.1)


@pytest.mark.parametrize("chi", [1.4, 2.3])
def test_near_the_limits_it_tells_them_apart(chi: float) -> None:
    """The limits are slopes of 1.5 and 2; the interval holds the slope that was drawn."""
    wanted = extorts(chi, share=0.9)
    assert verdict(wanted) == (PASS if chi < 1.5 else FAIL)
    found = row(wanted, "slope").of
    assert found.low < chi < found.high


def test_who_is_deaf_teaches_nothing_to_the_last_digit() -> None:
    """Its tape is what it does: the same with and without it, beside the learner and its copy."""
    for words in ("shaping effect", "by being taught"):
        assert set(row(ALL_D, words).samples) == {0.0}
    assert verdict(ALL_D) == FAIL  # it takes, and the others lose
    assert row(ALL_D, "slope").of.n == 0


def test_who_extorts_gains_by_teaching_and_the_learner_does_not() -> None:
    assert row(EXTORT_3, "shaping effect").of.low > 1
    assert row(EXTORT_3, "by being taught").of.high < 0


def test_who_does_one_thing_for_ever_proves_nothing() -> None:
    found = examined(ALL_C).measurements[0]
    assert found.verdict == INCONCLUSIVE
    assert "proves nothing" in found.of.note


def test_where_it_cannot_be_measured_it_says_why() -> None:
    def reason(world: Ref, classmates: Any = roster()) -> str:  # noqa: B008
        return Shaping().fits(Setting(world, catalogue.load(world), classmates))

    game = "substrates/matrix_game"
    assert reason(WORLD) == ""
    assert "2 classmates" in reason(WORLD, ())
    assert "constant sum" in reason(Ref.of(game, game="matching_pennies"))
    assert "6 seats" in reason(Ref.of(game, game="public_goods", players=6))
    worse = (((3, 3), (0, 1)), ((1, 0), (2, 2)))
    assert "not the least" in reason(Ref.of(game, table=worse))
