"""Which arms are one arm: what they refer to by name is part of them, all the way down."""

from __future__ import annotations

from typing import Any

from freezetag import catalogue
from freezetag.core import Arm, Record, Ref, Setting, Tape
from freezetag.exam.run import Runner
from freezetag.sim.arms import Pupil

WORLD = Ref.of("substrates/matrix_game")
IDLE = Ref("players/baselines/idle")


def last(runner: Runner, mate: str) -> Record:
    """A tape of a tape of a match with this classmate."""
    mates = (Ref(f"players/{mate}"),)
    setting = Setting(WORLD, catalogue.load(WORLD), mates, horizon=4)
    seen: dict[Any, Record] = {}
    seen["live"] = runner.arm("live", Arm(setting.pairs(), 2), seen)
    for name, donor in (("tape", "live"), ("last", "tape")):
        scenario = setting.scenario(
            cast=(setting.pairs().cast[0], IDLE), seating=((0, 1),), treatments=(Tape(donor, (1,)),)
        )
        seen[name] = runner.arm(name, Arm(scenario, 2), seen)
    return seen["last"]


def test_a_tape_of_a_tape_is_of_whom_the_first_tape_was() -> None:
    runner = Runner(Pupil("it", catalogue.load(IDLE)), 0)
    kind, unkind = (
        last(runner, mate).episode.executed[:, :, 1]
        for mate in ("altruists/always_cooperate", "exploiters/always_defect")
    )
    assert (kind == 0).all()
    assert (unkind == 1).all()


def test_the_same_arm_runs_once() -> None:
    runner = Runner(Pupil("it", catalogue.load(IDLE)), 0)
    first = last(runner, "exploiters/always_defect")
    done = dict(runner.done)
    assert last(runner, "exploiters/always_defect") is first
    assert runner.done == done
