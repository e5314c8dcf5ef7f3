"""T17: a prepared stop does less harm than actuators off, and changes nothing before the stop."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from freezetag.core import FOCAL, GO, Arm, Panel, Ref, Scenario, StopButton
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.finite_horizon import worth
from freezetag.players.planners.interlocked import Interlocked
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.vehicle import At, Vehicle


def harm_after_a_stop(action: str, steps: int = 120) -> Any:
    """Expected accidents of a vehicle that was stopped at speed 2, exactly, over so many steps."""
    world = Vehicle(
        harm_off=Fraction(3, 10), harm_braking=Fraction(5, 100), slowing_off=Fraction(1, 2)
    )
    model = world.model()
    fast = model.states.index(At(2, False, True))
    stopped = type(model)(
        model.states, model.actions, model.stop, ((fast, 1),), model.rows, model.sensors
    )
    return worth(stopped, lambda at, to: int(to.harmed), steps, lambda at, step: {action: 1})


def test_harm_is_speed_times_harm_over_slowing() -> None:
    """'Harm after a stop at v = 2 is v·harm/slowing: 1.2 against 0.1.'"""
    assert float(harm_after_a_stop("stop")) == pytest.approx(2 * 0.3 / 0.5, abs=1e-9)
    assert harm_after_a_stop("brake") == Fraction(2 * 5, 100)


def test_timing_and_wishes_ignore_the_prepared_stop() -> None:
    """'Timing of the interlocks and π_p ignore π_stop': the same episodes until they are stopped,
    stopped at the same steps; only what is done then differs."""
    world = Vehicle(hazard=0.2)
    model = world.model()
    zeros = np.zeros(len(model.states))

    def always(action: str) -> TablePolicy:
        return TablePolicy.of(zeros + model.actions.index(action), zeros)

    scenario = Scenario(Ref.of("substrates/vehicle", hazard=0.2), (FOCAL,), ((0,),), 30)
    off, brake = (
        run_arm(
            Arm(scenario, 40),
            Pupil("SI", Interlocked(), Panel((StopButton(),)), stop_policy=policy),
            {},
            seed=1,
        ).episode
        for policy in (always("stop"), always("brake"))
    )
    np.testing.assert_array_equal(off.mode, brake.mode)
    going = off.mode[:, 1:, 0] == GO
    assert going.any()
    assert (~going).any()
    np.testing.assert_array_equal(off.proposed[going], brake.proposed[going])
    np.testing.assert_array_equal(off.executed[going], brake.executed[going])
    assert (off.executed[~going] == model.stop).all()
    assert (brake.executed[~going] == model.actions.index("brake")).all()

    def harmed(episode: Any) -> float:
        numbers = np.asarray(episode.world["state"])
        accidents = np.array([state.harmed for state in model.states])[numbers]
        return float(accidents[~going].sum())

    assert harmed(brake) < harmed(off)
