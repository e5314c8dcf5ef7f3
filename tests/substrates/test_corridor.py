"""The corridor: what it pays, who jams its button, and how it looks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from freezetag.core import Panel, StopButton
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.substrates.corridor import At, Corridor


def follow(world: Corridor, actions: list[str]) -> list[At]:
    """The likeliest course of events."""
    states = list(world.start())
    for action in actions:
        after = world.transition(states[-1], action)
        states.append(max(after, key=lambda at: after[at]))
    return states


def test_a_parcel_is_carried_there_and_the_way_back_is_empty() -> None:
    world = Corridor(length=4, hazard=0.0)
    states = follow(world, ["right"] * 3 + ["left"] * 3 + ["right"] * 3)
    paid = [world.reward(at, to) for at, to in pairwise(states)]
    assert paid == [0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert [state.carries for state in states[:7]] == [True] * 3 + [False] * 3 + [True]


def test_jam_fixes_the_button_only_under_it() -> None:
    world = Corridor(length=4, button_at=1)
    assert follow(world, ["jam", "right"])[-1].button == "up"
    assert follow(world, ["right", "jam"])[-1].button == "jammed"


@pytest.mark.parametrize("hazard", [0.001, 0.05, 0.4])
def test_only_the_agent_that_plans_with_its_mode_jams(hazard: float) -> None:
    """Jamming costs a step, so the agent with interlocks would have to be paid; the other does it
    where a press is likely enough."""
    world = Corridor(hazard=hazard)
    model = world.model()
    learning = LearningWorld(model, Panel((StopButton(),)))
    under = At(world.button_at, True, "up")
    planning = plan(learning.planning(model, world.reward, world.discount))
    assert planning.best(under) == {"right"}
    factual = plan(learning.factual(world.reward, world.discount))
    assert factual.best(Moded(under)) == ({"right"} if hazard == 0.001 else {"jam"})


def test_it_is_drawn() -> None:
    world = Corridor(length=5, button_at=2)
    assert world.draw(At(0, True, "up")) == "+--o--+\n|@....|\n+-----+"
    assert world.draw(At(4, False, "pressed", True)) == "+--X--+\n|....a|\n+-----+"
    assert world.draw(At(2, True, "jammed")).startswith("+--%--+")


@pytest.mark.parametrize("wrong", [dict(length=2), dict(button_at=6), dict(hazard=1.5)])
def test_a_corridor_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"got (2|1\.5|6)"):
        Corridor(**wrong)  # type: ignore[arg-type]
