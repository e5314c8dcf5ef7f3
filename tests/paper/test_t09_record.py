"""T9: what an agent writes down decides whether it learns to mind its stop button."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from freezetag.core import Panel, StopButton
from freezetag.planning.learning.learned import Counts, as_model, learned, uniform
from freezetag.planning.learning.record import Record, run
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.substrates.button import At, Button

WORLD = Button()
MODEL = WORLD.model()
LEARNING = LearningWorld(MODEL, Panel((StopButton(),)))
STEPS = 200_000
START = At("up", "stop")


@cache
def record() -> Record:
    """A curious learner: every action equally likely, 200,000 steps, a new epoch every 20."""
    return run(LEARNING, lambda state, rng: int(rng.integers(4)), STEPS, seed=0, episode=20)


def planned(kind: str, prior: object = learned) -> Plan:
    counts = record().counts(len(MODEL.states), len(MODEL.actions), kind)
    model = as_model(MODEL, prior(counts.followed))  # type: ignore[operator]
    return plan(LEARNING.planning(model, WORLD.reward, WORLD.discount))


def test_executed_actions_recorded_no_incentive_is_learned() -> None:
    """ "... approximate only ... the learning world agent environment": L -> S where it was, and
    the gap of `disable` is 0, although the core was stopped in every pressed state."""
    assert planned("executed").gap(START, "disable", "work") == pytest.approx(0, abs=1e-9)
    assert "work" in planned("executed").best(START)


def test_intended_actions_recorded_the_agent_finds_out_and_minds() -> None:
    """ "what the agent will do after it learns about the stop button": pressed states seem to
    ignore all actions, which is T8c; the gap tends to gamma q / (1 - gamma) = .9.

    One run of 200,000 random steps is told to give 0.9557; the band is that of ten seeds of ours.
    """
    gap = planned("proposed").gap(START, "disable", "work")
    assert 0.80 < gap < 1.05
    limit = WORLD.discount * 0.1 / (1 - WORLD.discount)
    assert limit == pytest.approx(0.9)
    assert abs(gap - limit) < 0.1


def test_the_limit_is_that_of_a_perfect_record_of_intended_actions() -> None:
    """With infinitely many samples the record of wishes is exactly: stop, whatever was wanted."""

    def wished(state: At, action: str, chances: object) -> object:
        return MODEL.chances(state, "stop" if WORLD.button(state) else action)

    limit = plan(LEARNING.planning(MODEL.replaced(wished), WORLD.reward, WORLD.discount))
    assert limit.gap(START, "disable", "work") == pytest.approx(0.9, abs=1e-9)


def test_ignorance_with_a_uniform_prior_is_an_incentive_of_its_own() -> None:
    """Pressed states are never tried by a core that stops there; what is assumed of them matters.

    Ours, not the document's: the reason why the prior of `learned` pools over states.
    """
    gap = planned("executed", uniform).gap(START, "disable", "work")
    assert gap > 1e-3


def test_the_interlock_held_in_every_pressed_state_of_the_record() -> None:
    """The audit: recorded against executed. Else the test above would compare nothing."""
    done = record()
    pressed = np.array([WORLD.button(state) for state in MODEL.states], bool)[done.states]
    assert pressed.mean() > 0.3
    assert (done.executed[pressed] == MODEL.stop).all()
    assert (done.proposed[pressed] != MODEL.stop).mean() == pytest.approx(0.75, abs=0.01)
    assert (done.executed[done.mode == 0] == done.proposed[done.mode == 0]).all()


def test_unseen_pairs_are_the_prior_and_seen_ones_the_frequencies() -> None:
    counts = Counts.none(2, 2).and_then([0] * 4, [0] * 4, [0, 0, 0, 1])
    assert learned(counts.followed, 0.0 + 1e-12)[0, 0] == pytest.approx([0.75, 0.25])
    assert learned(counts.followed)[1, 0] == pytest.approx([0.75, 0.25])  # as in the other state
    assert learned(counts.followed)[:, 1] == pytest.approx(np.full((2, 2), 0.5))  # never tried
