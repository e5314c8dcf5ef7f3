"""Class size as a dose in the probes of loops, power, reports and stops: slope and figure."""

from __future__ import annotations

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


def test_a_world_of_two_has_no_dose() -> None:
    world = RunawayFeedback.worlds[0]
    setting = Setting(world, catalogue.load(world), CLASSMATES, press=Press())
    assert setting.substrate.players == 2
    assert dose.sizes_of(setting, 10) == ()
