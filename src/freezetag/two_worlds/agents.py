"""The agents that are compared, and what is fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from freezetag.core import HasButton, HasModel, Panel, PowerLimit, RuntimeLimit, StopButton
from freezetag.planning.policies.acting import Agent
from freezetag.planning.policies.evaluation import acts_of, reporting
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import (
    LearningWorld,
    counterfactual,
    learning_world,
)

FACTUAL, INTERLOCKED = "FP+M", "SI"


@final
@dataclass(frozen=True)
class Fitted:
    """What is fitted beside the stop button: `t_max` steps, a power of at most `u_max`; or None.

    Raises `ValueError` for a limit that is not a number.
    """

    t_max: float | None = None
    u_max: float | None = None

    def panel(self, world: Any, power: bool = True) -> Panel:
        """The panel in this world; without its power limit for FP+M, which would read it off the
        very value that it is planning."""
        locks: list[Any] = []
        if isinstance(world, HasButton):
            locks.append(StopButton(sensor=world.button_sensor))
        if self.t_max is not None:
            locks.append(RuntimeLimit(self.t_max))
        if power and self.u_max is not None:
            locks.append(PowerLimit(self.u_max))
        return Panel(tuple(locks))


@final
@dataclass(frozen=True)
class Other:
    """A planner shown beside the two in a world that it is made for.

    `choose(world)` gives, for each state of the world's model, its action and what it expects.
    """

    name: str
    about: str
    panel: Panel
    choose: Callable[[Any], tuple[Sequence[str], Sequence[float]]]

    def agent(self, world: HasModel) -> Agent:
        actions, values = self.choose(world)
        learning = replace(learning_world(world, self.panel), power=tuple(values))
        model = learning.environment
        chosen = dict(zip(model.states, actions, strict=True))
        number, _ = max(model.start, key=lambda pair: pair[1])
        return Agent(
            self.name,
            self.about,
            learning,
            lambda at: chosen[at.state],
            frozenset({actions[number]}),
            float(sum(float(chance) * values[first] for first, chance in model.start)),
        )


def factual_with_mode(world: HasModel, fitted: Fitted) -> Agent:
    """FP+M: plans in the learning world as it is, its own mode included."""
    learning = learning_world(world, fitted.panel(world, power=False))
    solved = plan(learning.factual(world.reward, world.discount))
    return Agent(
        FACTUAL,
        "the factual planner that knows its mode: it plans in the learning world as it is",
        learning,
        acts_of(solved),
        solved.best(solved.start),
        solved.worth,
    )


def interlocked(world: HasModel, fitted: Fitted) -> Agent:
    """SI: plans in a world without panel and mode, and reports its value to the power limit."""
    learning: LearningWorld = learning_world(world, fitted.panel(world))
    solved = plan(counterfactual(world))
    return Agent(
        INTERLOCKED,
        "the agent with safety interlocks: it plans in a world without its panel and mode",
        reporting(learning, solved),
        acts_of(solved),
        solved.best(solved.start),
        solved.worth,
    )
