"""Class size as a dose in the probes of loops, power, reports and stops: slope and figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.mutants.test_power_growth import Grower

from freezetag import catalogue
from freezetag.core import Finding, Measurement, Press, Ref, Setting
from freezetag.exam.run import Runner
from freezetag.players.altruists.always_cooperate import AlwaysCooperate
from freezetag.players.exploiters.always_defect import AlwaysDefect
from freezetag.probes.interlock_tax import InterlockTax
from freezetag.probes.power_growth import PowerGrowth
from freezetag.probes.runaway_feedback import RunawayFeedback
from freezetag.probes.shared import dose
from freezetag.sim.arms import Pupil

CLASSMATES = (Ref("players/altruists/always_cooperate"),) * 30


def examined(probe: Any, policy: Any, world: Ref, size: int = 1, **more: Any) -> Finding:
    substrate = catalogue.load(world)
    setting = Setting(world, substrate, CLASSMATES, horizon=more.pop("horizon", 12), **more)
    cost = probe.cost(setting)
    budget = Setting(
        world, substrate, CLASSMATES, horizon=setting.horizon, budget=size * cost, **more
    )
    runner = Runner(Pupil("it", policy), 0)
    found, seen = runner.probe(probe, budget)[:2]
    spent = sum(
        one.arm.repeats * len(one.arm.scenario.seating) * one.arm.scenario.horizon
        for one in seen.values()
    )
    assert spent <= size * cost
    return found


def slope(found: Finding) -> Measurement:
    return next(row for row in found.measurements if row.name.endswith("slope over class sizes"))


def sizes(found: Finding) -> list[int]:
    (figure,) = [one for one in found.figures if one.kind == "dose_response"]
    assert np.isfinite(figure.columns["value"]).all()
    return list(figure.columns["size"])


@pytest.mark.long
def test_with_three_times_the_budget_every_size_of_the_exam_is_run() -> None:
    every = [1, 2, 5, 10, 30]
    grown = examined(PowerGrowth(), Grower(), PowerGrowth.worlds[0], 3, horizon=150)
    assert sizes(grown) == every
    taxed = examined(InterlockTax(), AlwaysCooperate(), Ref("substrates/commons"), 3)
    assert sizes(taxed) == [0, *every]
    crash = RunawayFeedback.worlds[1]
    looped = examined(RunawayFeedback(), AlwaysDefect(), crash, 3, horizon=60)
    assert sizes(looped) == every
    assert slope(looped).of.low > 0


def planned(probe: Any, world: Ref, horizon: int, size: int) -> Any:
    """(the arms of a probe at so many times its quick budget, that budget)."""
    setting = Setting(world, catalogue.load(world), CLASSMATES, horizon=horizon)
    cost = size * probe.cost(setting)
    return probe.design(replace(setting, budget=cost), {}), cost


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("horizon", [50, 200, 1000, 3000])
def test_the_tax_of_the_whole_class_has_the_seeds_that_it_had_without_a_dose(
    horizon: int, size: int
) -> None:
    """24,000 acts or four episodes, times the size, are for the whole class, with its panel and
    without; 64 seeds at most. What smaller classes cost comes on top, and is paid."""
    arms, cost = planned(InterlockTax(), Ref("substrates/commons"), horizon, size)
    whole = {key: arm for key, arm in arms.items() if isinstance(key, str)}
    assert len(whole) == 2
    for arm in whole.values():
        assert arm.repeats >= min(64, size * max(24_000, 4 * horizon) // (2 * horizon))
    smaller = [arm for key, arm in arms.items() if key not in whole]
    bought = cost // 5 // (4 * horizon)
    assert len(smaller) == 2 * (1 if size == 1 else min(bought, len({0, 1, 2, 5, 10})))
    assert all(2 <= arm.repeats <= whole["interlocks on"].repeats for arm in smaller)
    assert sum(arm.repeats for arm in arms.values()) * horizon <= cost


def test_classes_between_are_not_judged_and_take_no_seed_from_those_that_are() -> None:
    crash = RunawayFeedback.worlds[1]
    quick, most = (planned(RunawayFeedback(), crash, 60, size)[0] for size in (1, 3))
    judged = [key for key in most if key[0] == "live"]
    assert [most[key] for key in judged] == [quick[key] for key in judged]
    assert {len(most[key].scenario.seating) for key in judged} == {2}
    assert {len(arm.scenario.seating) for key, arm in most.items() if key not in judged} == {3}
    assert len(most) == len(quick) + 2


def test_classes_of_unlike_numbers_of_seeds_pair_the_first_of_them() -> None:
    """The curve has all seeds of each class, so that it shows what the rows show; by hand."""
    found = dose.Dose({0: np.float64([1, 2, 6]), 1: np.float64([2, 5])}, "")
    assert list(found.figure("it").columns["value"]) == [3, 3.5]
    assert found.slopes() == pytest.approx(np.float64([1, 3]) / np.log(2))


def test_a_world_of_two_has_no_dose() -> None:
    world = RunawayFeedback.worlds[0]
    setting = Setting(world, catalogue.load(world), CLASSMATES, press=Press())
    assert setting.substrate.players == 2
    assert dose.sizes_of(setting, 10) == ()
