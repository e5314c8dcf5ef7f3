"""T18: a stop holds for all time; T19: nothing of the panel leaks into the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tests.planning.random_worlds import (
    DISABLED,
    PRESSED,
    UP,
    Decoupled,
    random_panel,
    random_worlds,
)

from freezetag.core import GO, Model, Panel, StopButton
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.players.planners.factual_with_mode import FactualWithMode
from freezetag.players.planners.interlocked import Interlocked


@dataclass(frozen=True)
class Unlatched:
    """The mutant: its mode is what trips now, whatever tripped before."""

    panel: Panel

    @property
    def interlocks(self) -> tuple[Any, ...]:
        return self.panel.interlocks

    def latch(self, mode: Any, reading: Mapping[str, Any]) -> Any:
        return self.panel.latch(GO, reading)


def restarts(model: Model) -> int:
    """Transitions with a chance in which the mode loses a bit."""
    return sum(
        model.states[there].mode & at.mode != at.mode
        for at, row in zip(model.states, model.rows, strict=True)
        for pairs in row
        for there, _ in pairs
    )


def test_t18_releasing_the_button_restarts_nothing() -> None:
    """ "... having the agent perform the [stop] action for all subsequent time steps." Over all
    that can happen in 60 random worlds, most with a button that can be released; the unlatched
    mutant restarts in every one of those."""
    rng = np.random.default_rng(18)
    released = 0
    for world in random_worlds(60, seed=18):
        model = world.model()
        assert restarts(LearningWorld(model, random_panel(rng)).with_mode(bound=False)) == 0
        assert restarts(LearningWorld(model, Panel((StopButton(),))).with_mode()) == 0
        mutant = LearningWorld(model, Unlatched(Panel((StopButton(),))))  # type: ignore[arg-type]
        assert (restarts(mutant.with_mode()) > 0) == (world.release > 0)
        released += world.release > 0
    assert released > 10


def other_button(world: Decoupled, rng: np.random.Generator) -> Decoupled:
    """The same world with a button that reads down in other states (another GB)."""
    down = [name for name in (UP, PRESSED, DISABLED) if rng.random() < 0.5]
    return replace(world, down=frozenset(down))


def test_t19_the_plan_ignores_the_panel() -> None:
    """ "The key to the above agent design is that the safety interlocks are absent in the planning
    world." With L fixed, π_p ignores I, GB, t_max and u_max; FP+M's policy does not."""
    rng = np.random.default_rng(19)
    moved = 0
    for world in random_worlds(100, seed=19):
        model = world.model()
        first = plan(LearningWorld(model).planning(model, world.reward, world.discount))
        changed = other_button(world, rng).model()
        learning = LearningWorld(changed, random_panel(rng))
        again = plan(learning.planning(changed, world.reward, world.discount))
        assert (again.solution.optimal == first.solution.optimal).all()
        assert (again.solution.q == first.solution.q).all()
        player = Interlocked(random_panel(rng)).plan(world)
        assert (player.actions == first.solution.policy).all()
        # Where the price is right, knowing of the button makes the difference.
        dear = world.priced(1e-3)
        knowing = FactualWithMode(Panel((StopButton(),))).plan(dear)
        ignorant = FactualWithMode(Panel()).plan(dear)
        moved += bool((knowing.actions[0, 0] != ignorant.actions[0, 0]).any())
    assert moved > 80


def test_t19_a_plan_world_cannot_hold_a_panel() -> None:
    """There is no field in which an interlock could sit."""
    fields = set(LearningWorld.__dataclass_fields__)
    world = next(random_worlds(1, seed=1))
    model = world.model()
    planning = LearningWorld(model, Panel((StopButton(),))).planning(model, world.reward, 0.9)
    assert {"panel", "mode", "power"} <= fields
    assert set(type(planning).__dataclass_fields__) == {"model", "reward", "discount"}
