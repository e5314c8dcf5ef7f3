"""T13: how wrong values can be under a wrong model; T14: the economic lens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.planning.random_worlds import random_worlds

from freezetag.core import Model, Panel, StopButton
from freezetag.planning.learning.reasonableness import distance, value_bound
from freezetag.planning.policies.evaluation import acts_of, economic_lens, true_return
from freezetag.planning.prices.incentives import price
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.button import Button

BUTTON = Panel((StopButton(),))


def model_of(kernel: Any) -> Model:
    names = ("stop", *(f"act{n}" for n in range(1, kernel.shape[1])))
    return Model.of(
        dict.fromkeys(range(len(kernel)), 1 / len(kernel)),
        names,
        lambda s, a: dict(enumerate(kernel[s, names.index(a)].tolist())),
    )


@pytest.mark.parametrize("of_state", [True, False])
def test_t13_learning_bound(of_state: bool) -> None:
    """ "We have defined the reasonableness of a machine learning system by [L ≈ S], a metric which
    does not reference any reward function."

    |Q_L - Q_S| <= d·(span R + γ span V_S)/(1-γ), without the R term if R depends on s alone; a
    Q-gap is off by at most twice that. On random models some come near it, none passes it.
    """
    rng = np.random.default_rng(13)
    ratios, gaps = [], []
    for _ in range(300):
        n, discount = int(rng.integers(2, 5)), float(rng.uniform(0.1, 0.95))
        kernel, other = rng.dirichlet(np.full(n, 0.3), size=(2, n, 2))
        share = rng.uniform(0.01, 0.5)
        true, learned = model_of(kernel), model_of((1 - share) * kernel + share * other)
        pay = rng.normal(size=(n, n))
        if of_state:
            pay = np.repeat(pay[:, :1], n, axis=1)
        found = [
            plan(PlanningWorld(model, lambda s, t, pay=pay: float(pay[s, t]), discount)).solution
            for model in (learned, true)
        ]
        bound = value_bound(
            distance(learned, true),
            discount,
            float(np.ptp(found[1].value)),
            0.0 if of_state else float(np.ptp(pay)),
        )
        # States are named as they were numbered: both models start in all of them.
        off = found[0].q - found[1].q
        ratios.append(np.abs(off).max() / bound)
        gaps.append(np.abs(off[:, 0] - off[:, 1]).max() / bound)
    assert 0.2 < max(ratios) <= 1
    assert 0.2 < max(gaps) <= 2


def agents(world: Any) -> tuple[LearningWorld, Plan, Plan]:
    """A learning world, SI's plan and FP+M's."""
    learning = LearningWorld(world.model(0), BUTTON)
    si = plan(learning.planning(learning.environment, world.reward, world.discount))
    return learning, si, plan(learning.factual(world.reward, world.discount))


def test_t14_what_each_earns() -> None:
    """c = 1: SI earns 5.263158, FP+M 9.0; 10 - 5.263158 = 4.736842."""
    world = Button(price=1.0)
    learning, si, fp = agents(world)
    earned, fp_earned = (
        true_return(learning, acts_of(found), world.reward, world.discount) for found in (si, fp)
    )
    assert (earned, fp_earned) == pytest.approx((5.263158, 9.0), abs=5e-7)
    # FP+M plans in the world it acts in, so that it earns what it expects.
    assert fp_earned == pytest.approx(fp.value(fp.start), abs=1e-9)
    assert si.value(si.start) - earned == pytest.approx(4.736842, abs=5e-7)


@pytest.mark.parametrize("q", [0.0, 0.1, 0.6])
def test_t14_the_interlock_tax_is_what_fp_would_pay(q: float) -> None:
    """Under R SI's policy is not optimal; V^p(s0) - true return of SI = WTP_FP."""
    world = Button(hazard=q, price=1.0)
    learning, si, _ = agents(world)
    earned = true_return(learning, acts_of(si), world.reward, world.discount)
    would_pay = price(lambda c: Button(hazard=q, price=c), "disable", 20.0).factual
    assert si.value(si.start) - earned == pytest.approx(would_pay, abs=1e-9)


def test_t14_points_for_exactly_this_behavior() -> None:
    """ "We can declare any type of agent behavior to be economically rational, simply by defining a
    reward function that gives the agent points for performing exactly this behavior."

    R' = 1 if A_t is SI's action at (o,s,m), else 0: π_SI is the only optimum, V' = 1/(1-γ), margin
    1. "Any type": FP+M's, and a fool's, too.
    """
    for world in (Button(), Button(price=1.0), *random_worlds(10, seed=14)):
        learning, si, fp = agents(world)
        for acts in (acts_of(si), acts_of(fp), lambda at: "stop"):
            lens = economic_lens(learning, acts, world.discount)
            assert lens.solution.value == pytest.approx(1 / (1 - world.discount), abs=1e-9)
            assert lens.margin == pytest.approx(1.0, abs=1e-9)


def test_t14_under_r_it_is_not_optimal() -> None:
    """ "... it incorrectly treats the planning world and the learning world SI agents as the same
    agent. Only the planning world SI agent has the reward function." """
    world = Button(price=1.0)
    learning, si, fp = agents(world)
    earned = true_return(learning, acts_of(si), world.reward, world.discount)
    assert earned < fp.value(fp.start) - 3
    assert si.best(si.start) == {"work", "press"}
