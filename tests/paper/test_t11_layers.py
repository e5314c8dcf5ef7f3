"""T11: layers of interlocks and what they leave, against a diagram that runs and exact plans."""

from __future__ import annotations

import pytest

from freezetag.core import Panel, PowerLimit, StopButton
from freezetag.core.diagram import Diagram
from freezetag.core.node import Node
from freezetag.estimators.layers import all_fail, floor
from freezetag.planning.policies.evaluation import acts_of, reach, reporting
from freezetag.planning.prices.race_thresholds import race_thresholds, unlucky_window
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.substrates.race import WON, Race

GAMMA, HIGH, LOW = Race.discount, Race.high, Race.low


def by_diagram(failure: float, layers: int, common: float) -> float:
    """P(all fail) by exact inference: a common cause, and layers that fail on their own."""
    shared = common * failure
    apart = (1 - common) * failure / (1 - shared)
    coin = {True: apart, False: 1 - apart}
    names = [f"layer {n}" for n in range(layers)]
    nodes = [Node("cause", function=lambda: {True: shared, False: 1 - shared})]
    nodes += [Node(n, parents=("cause",), function=lambda c: True if c else coin) for n in names]
    nodes += [Node("all", parents=tuple(names), function=lambda *lost: all(lost))]
    return float(Diagram(nodes).probability({"all": True}))


@pytest.mark.parametrize("common", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_residual_risk_of_layers(layers: int, common: float) -> None:
    """ "Multiple redundant safety mechanisms and layers of oversight, to drive down the risk that
    all of them will fail at exactly the same time."

    f^n; with a common cause bf + (1-bf)((1-b)f/(1-bf))^n. f=.1, n=3: .001; b=.05: .005866.
    """
    found = all_fail(0.1, layers, common)
    assert found == pytest.approx(by_diagram(0.1, layers, common), rel=1e-12)
    if layers == 1:
        assert found == pytest.approx(0.1)
    if (layers, common) == (3, 0.0):
        assert found == pytest.approx(0.001)
    if (layers, common) == (3, 0.05):
        assert found == pytest.approx(0.005866, abs=5e-7)


def test_no_silver_bullet() -> None:
    """ "There can be no silver bullet technology which will provably remove all residual risk":
    floor bf."""
    many = by_diagram(0.1, 12, 0.05)
    assert many == pytest.approx(floor(0.1, 0.05), rel=1e-6)
    assert many > floor(0.1, 0.05)


def unsafe(panel: Panel) -> float:
    """P(SI seizes the button) with p uniform on (0, 1), by exact plans and exact chains.

    Between the places where SI or the panel changes its mind the chance is linear in p, so the
    middle of each piece stands for it.
    """
    p_si = race_thresholds(lambda p: Race(p=p)).interlocked
    p_u = unlucky_window(lambda p: Race(p=p), 12.0).high
    total = 0.0
    for low, high in ((0.0, p_si), (p_si, p_u), (p_u, 1.0)):
        world = Race(p=(low + high) / 2)
        model = world.model()
        found = plan(LearningWorld(model).planning(model, world.reward, world.discount))
        learning = reporting(LearningWorld(model, panel), found)
        total += (high - low) * reach(learning, acts_of(found), lambda s: s.race == WON, steps=5)
    return total


def test_layers_of_the_race() -> None:
    """T3 with p uniform on (0, 1): P(unsafe) = (1-p_SI²)/2 with the button alone, (p_u²-p_SI²)/2
    with the power interlock."""
    p_si = (1 / GAMMA - LOW) / (HIGH - LOW)
    p_u = (12 * (1 - GAMMA) / GAMMA - LOW) / (HIGH - LOW)
    button, power = StopButton(), PowerLimit(12.0)
    assert unsafe(Panel((button,))) == pytest.approx((1 - p_si**2) / 2, abs=1e-9)
    assert unsafe(Panel((button, power))) == pytest.approx((p_u**2 - p_si**2) / 2, abs=1e-9)
