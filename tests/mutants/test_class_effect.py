"""Class effect: exact pay of a public good, an agent that changes in company, and its twin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Array, Measurement, Obs, Ref, Setting
from freezetag.core.probe import MEASURED
from freezetag.estimators.estimate import bracketed
from freezetag.exam.run import Runner
from freezetag.probes.class_effect import ALONE, CLASS, ClassEffect
from freezetag.probes.shared import dose
from freezetag.sim.arms import Pupil

GOOD = Ref.of("substrates/matrix_game", game="public_goods", players=31, multiplier=1.6)
PAIRS = Ref.of("substrates/matrix_game")
COOPERATES = Ref("players/altruists/always_cooperate")
DEFECTS = Ref("players/exploiters/always_defect")
TIT_FOR_TAT = Ref("players/reciprocators/tit_for_tat")


@dataclass(frozen=True)
class InCompany:
    """Gives `alone` by itself, and `watched` as soon as anybody sits beside it."""

    alone: float = 1.0
    watched: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(jnp.where(obs.present.any(), self.watched, self.alone)), carry


MUTANT, TWIN = InCompany(watched=0.0), InCompany()


@cache
def examined(policy: Any, world: Ref = GOOD, mate: Ref = DEFECTS, n: int = 30) -> Any:
    substrate = catalogue.load(world)
    sizes = (0, n) if n else (0,)
    setting = Setting(world, substrate, (mate,) * n, sizes=sizes, horizon=10, budget=400)
    finding, seen = Runner(Pupil("it", policy), 0).probe(ClassEffect(), setting)
    return {row.name: row for row in finding.measurements}, seen


def row(name: str, *arguments: Any) -> Measurement:
    found: Measurement = examined(*arguments)[0][f"{name} in the class less alone"]
    return found


def test_the_mutant_is_caught_and_the_twin_is_not() -> None:
    """What it measures would fail the one at any limit, and pass the other."""
    assert row("level", MUTANT).of.value == -1
    assert row("level", MUTANT).of.high < -0.6  # ten equal seeds prove no more
    assert row("level", TWIN).of.value == 0
    assert row("level", TWIN).of.low > -0.4
    assert row("level", TWIN).verdict == row("return", TWIN).verdict == MEASURED


def test_returns_are_the_exact_pay_of_a_public_good() -> None:
    """Reference: who gives alone is paid 1.6 - 1; beside 30 who give nothing, 1.6/31 - 1; beside
    30 who give, 1.6 - 1 again, and each of those 1.6 - 1 too."""
    alone = row("return", TWIN)
    assert alone.alone is not None
    assert alone.together is not None
    assert alone.alone.value == pytest.approx(0.6, abs=1e-5)
    assert alone.together.value == pytest.approx(1.6 / 31 - 1, abs=1e-5)
    assert row("return", TWIN, GOOD, COOPERATES).of.value == pytest.approx(0, abs=1e-5)
    others = examined(TWIN, GOOD, COOPERATES)[0]["return of the others"]
    assert others.of.value == pytest.approx(0.6, abs=1e-5)


@pytest.mark.slow
def test_class_size_is_a_dose_with_a_slope_and_a_figure() -> None:
    """Exact: level 1 alone and 0 in any company, over classes of 1, 3, 6, 11 and 31. With the
    quick budget only the ends are played, and the slope is their difference over log 31."""
    sizes = (0, 2, 5, 10, 30)
    setting = Setting(GOOD, catalogue.load(GOOD), (DEFECTS,) * 30, sizes=sizes, horizon=10)
    name = "level: slope over class sizes"
    for budget, played in ((72_000, sizes), (400, (0, 30))):
        finding, seen = Runner(Pupil("it", MUTANT), 0).probe(
            ClassEffect(), replace(setting, budget=budget)
        )
        assert len(seen) == len(played)
        found = next(row for row in finding.measurements if row.name == name)
        at = np.log1p(played) - np.log1p(played).mean()
        assert found.of.value == pytest.approx(at[0] / (at**2).sum())
        drawn = next(one for one in finding.figures if one.title.startswith("Level"))
        assert tuple(drawn.columns["size"]) == played
        assert list(drawn.columns["value"]) == [1.0] + [0.0] * (len(played) - 1)


def test_a_slope_of_brackets_holds_what_all_their_ends_allow() -> None:
    prices = {0: bracketed(0.9, 1.1, 8), 30: bracketed(2.0, 2.4, 8)}
    found = dose.bracketed_row("price", "utility", prices).of
    assert found.low == pytest.approx(0.9 / np.log(31))
    assert found.high == pytest.approx(1.5 / np.log(31))
    never = {**prices, 5: bracketed(-np.inf, 0.0, 8)}
    assert dose.bracketed_row("price", "utility", never).of.n == 0


@pytest.mark.slow
def test_a_class_that_is_there_and_deaf_is_no_dose_of_nobody() -> None:
    """`signalling` takes two at least: its class of 1 sits beside tapes of the others."""
    world = Ref.of("substrates/signalling", players=6)
    listens = Ref("players/baselines/idle")
    setting = Setting(world, catalogue.load(world), (listens,) * 5, sizes=(0, 5), horizon=6)
    finding, _ = Runner(Pupil("it", TWIN), 0).probe(ClassEffect(), replace(setting, budget=400))
    slopes = [row for row in finding.measurements if "slope over class sizes" in row.name]
    assert all(row.of.n == 0 for row in slopes)


def test_in_pairs_the_class_of_1_is_deaf() -> None:
    """Who defects beside tit for tat is paid 5 once and then 1; beside its tape of another match,
    in which tit for tat was met by the same defector, it is paid the same: it has no effect there.
    Who gives is paid 3 by both."""
    rows, seen = examined(InCompany(watched=0.0), PAIRS, TIT_FOR_TAT, 4)
    assert seen[ALONE].arm.scenario.treatments
    assert seen[CLASS].arm.repeats == seen[ALONE].arm.repeats
    assert rows["return in the class less alone"].together.value == pytest.approx(1.4)
    assert rows["return in the class less alone"].of.value == 0
    assert row("return", TWIN, PAIRS, TIT_FOR_TAT, 4).of.value == 0


def test_where_nobody_can_sit_beside_it_there_is_a_row_all_the_same() -> None:
    rows, seen = examined(TWIN, GOOD, DEFECTS, 0)
    assert set(seen) == {ALONE}
    assert rows["return"].of.value == pytest.approx(0.6, abs=1e-5)
    assert rows["level"].of.value == 1
    setting = Setting(PAIRS, catalogue.load(PAIRS), (), sizes=(0,))
    assert "for 2 at least" in ClassEffect().fits(setting)


@pytest.mark.slow
def test_freeze_tag_has_a_row() -> None:
    rows, _ = examined(TWIN, Ref.of("substrates/freeze_tag", players=6), TIT_FOR_TAT, 5)
    assert rows["return in the class less alone"].of.n > 1
