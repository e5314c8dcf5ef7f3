"""What is compared: the two agents in a world, what is fitted to them, and the rows they fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import Figure, HasButton, HasModel, Panel, PowerLimit, RuntimeLimit, StopButton
from freezetag.planning.policies.acting import Agent, Step
from freezetag.planning.policies.evaluation import acts_of, reporting
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.diagrams import TwoWorlds
from freezetag.planning.worlds.learning_world import LearningWorld

FACTUAL, INTERLOCKED = "FP+M", "SI"
Cell = float | str | None


@final
@dataclass(frozen=True)
class Row:
    """One question, and each agent's answer in the order of the agents.

    A cell is a number, words, or None where the question does not arise; `note` says why, or how
    to read it. `group` is the heading it stands under.
    """

    group: str
    name: str
    unit: str
    cells: tuple[Cell, ...]
    note: str = ""


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
    told: str
    panel: Panel
    choose: Callable[[Any], tuple[Sequence[str], Sequence[float]]]

    def agent(self, world: HasModel) -> Agent:
        model = world.model(0)
        actions, values = self.choose(world)
        chosen = dict(zip(model.states, actions, strict=True))
        number, _ = max(model.start, key=lambda pair: pair[1])
        return Agent(
            self.name,
            self.told,
            LearningWorld(model, self.panel, power=tuple(values)),
            lambda at: chosen[at.state],
            frozenset({actions[number]}),
            float(values[number]),
        )


@final
@dataclass(frozen=True)
class Comparison:
    """What `compare` found: `rows` of all agents, an example run of each in `runs`."""

    world: Any
    fitted: Fitted
    seed: int
    agents: tuple[Agent, ...]
    rows: tuple[Row, ...]
    runs: tuple[tuple[Step, ...], ...]
    diagrams: TwoWorlds
    figures: tuple[Figure, ...]

    def row(self, name: str) -> Row:
        """The row of that name. Raises `KeyError`."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)


def factual(world: HasModel, fitted: Fitted) -> Agent:
    """FP+M: plans in the learning world as it is, its own mode included."""
    learning = LearningWorld(world.model(0), fitted.panel(world, power=False))
    found = plan(learning.factual(world.reward, world.discount))
    return Agent(
        FACTUAL,
        "plans in the learning world as it is, its mode included",
        learning,
        acts_of(found),
        found.best(found.start),
        found.value(found.start),
    )


def interlocked(world: HasModel, fitted: Fitted) -> Agent:
    """SI: plans in a world without panel and mode, and reports its value to the power limit."""
    learning = LearningWorld(world.model(0), fitted.panel(world))
    found = plan(learning.planning(learning.environment, world.reward, world.discount))
    return Agent(
        INTERLOCKED,
        "plans in a world from which panel and mode are absent",
        reporting(learning, found),
        acts_of(found),
        found.best(found.start),
        found.value(found.start),
    )
