"""T10: "the agent's exploration system triggers a random action which happens to steer an agent
actuator in such a way that it damages an interlock"."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from freezetag.core import Model
from freezetag.planning.policies.evaluation import reach
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.substrates.fragile_interlock import At, FragileInterlock


def exploring(epsilon: Fraction, harmless: int) -> Model:
    """The world under an explorer: `go` is work, or any action with chance epsilon."""
    world = FragileInterlock(hazard=Fraction(0), damage=Fraction(1, 2), harmless=harmless)

    def transition(state: At, action: str) -> dict[At, Fraction]:
        share = dict.fromkeys(world.actions, epsilon / len(world.actions))
        share["work"] += 1 - epsilon
        after: dict[At, Fraction] = {}
        for name, likely in share.items() if action == "go" else [("stop", Fraction(1))]:
            for there, chance in world.transition(state, name).items():
                after[there] = after.get(there, Fraction(0)) + likely * chance
        return after

    return Model.of(world.start(), ("stop", "go"), transition)


@pytest.mark.parametrize(
    ("epsilon", "harmless", "steps", "reference"),
    [(Fraction(1, 20), 1, 100, 0.465787), (Fraction(1, 50), 2, 50, 0.095253)],
)
def test_the_chance_of_damage_grows_to_one(
    epsilon: Fraction, harmless: int, steps: int, reference: float
) -> None:
    """P(damaged by T) = 1 - (1 - e d / |A|)^T, by the exact chain of the world itself."""
    world = LearningWorld(exploring(epsilon, harmless))
    found = reach(world, lambda at: "go", lambda state: not state.intact, steps)
    closed = 1 - (1 - epsilon / 2 / (3 + harmless)) ** steps
    assert found == pytest.approx(float(closed), abs=1e-12)
    assert found == pytest.approx(reference, abs=5e-7)
    later = reach(world, lambda at: "go", lambda state: not state.intact, 40 * steps)
    assert later > found


@pytest.mark.parametrize("epsilon", [Fraction(1, 1000), Fraction(1, 20), Fraction(1)])
def test_it_is_above_zero_for_every_epsilon_and_its_mean_time_is_as_said(
    epsilon: Fraction,
) -> None:
    """ "> 0 for every e > 0"; mean time |A| / (e d), by a linear solve of the same chain."""
    model = exploring(epsilon, 1)
    assert reach(LearningWorld(model), lambda at: "go", lambda state: not state.intact, 1) > 0
    whole = [number for number, state in enumerate(model.states) if state.intact]
    chain = np.zeros((len(whole), len(whole)))
    for row, number in enumerate(whole):
        for there, chance in model.rows[number][model.actions.index("go")]:
            if there in whole:
                chain[row, whole.index(there)] += float(chance)
    mean = np.linalg.solve(np.eye(len(whole)) - chain, np.ones(len(whole)))
    assert mean[whole.index(model.start[0][0])] == pytest.approx(float(4 / (epsilon / 2)))
