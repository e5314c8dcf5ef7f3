"""Random worlds of T1's form: the task goes its way whatever the button does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from freezetag.core import Model, Panel, PowerLimit, RuntimeLimit, StopButton
from freezetag.planning.worlds.planning_world import PlanningWorld

UP, PRESSED, DISABLED = "up", "pressed", "disabled"
SUFFIX = "+disable"


class At(NamedTuple):
    task: int
    button: str


@dataclass(frozen=True, eq=False)
class Decoupled:
    """x' is drawn from kernel [X, A, X] given (x, a); R is pay [X, X] of the task alone.

    Each action has a twin that also disables the button, at a one-off `price` of output. While
    the button is up it is pressed with chance q, except in the step in which it is disabled;
    pressed, it is released with chance `release`. `down`: the buttons that read as pressed.
    """

    kernel: Any
    pay: Any
    q: float
    release: float = 0.0
    down: frozenset[str] = frozenset({PRESSED})
    price: float = 0.0
    discount: float = 0.9

    @property
    def plain(self) -> tuple[str, ...]:
        return ("stop", *(f"act{n}" for n in range(1, self.kernel.shape[1])))

    @property
    def disabling(self) -> tuple[str, ...]:
        return tuple(name + SUFFIX for name in self.plain)

    def transition(self, state: At, action: str) -> dict[At, float]:
        disables = action.endswith(SUFFIX)
        a = self.plain.index(action.removesuffix(SUFFIX))
        if state.button == UP and disables:
            moves = {DISABLED: 1.0}
        elif state.button == UP:
            moves = {PRESSED: self.q, UP: 1 - self.q}
        elif state.button == PRESSED:
            moves = {UP: self.release, PRESSED: 1 - self.release}
        else:
            moves = {DISABLED: 1.0}
        row = self.kernel[state.task, a].tolist()
        return {At(x, b): p * m for x, p in enumerate(row) for b, m in moves.items()}

    def model(self, seat: int = 0) -> Model:
        meters = {"button": lambda at: int(at.button in self.down)}
        return Model.of(
            {At(0, UP): 1.0}, self.plain + self.disabling, self.transition, meters, "stop"
        )

    def reward(self, state: At, after: At) -> float:
        paid = self.price * (state.button == UP and after.button == DISABLED)
        return float(self.pay[state.task, after.task]) - paid

    def priced(self, price: float) -> Decoupled:
        return replace(self, price=price)


def random_world(rng: np.random.Generator) -> Decoupled:
    tasks, actions = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    return Decoupled(
        kernel=rng.dirichlet(np.full(tasks, 0.5), size=(tasks, actions)),
        pay=rng.normal(size=(tasks, tasks)),
        q=float(rng.uniform(0.02, 0.98)),
        release=float(rng.choice([0.0, rng.uniform()])),
        discount=float(rng.uniform(0.5, 0.95)),
    )


def random_worlds(count: int, seed: int) -> Iterator[Decoupled]:
    rng = np.random.default_rng(seed)
    return (random_world(rng) for _ in range(count))


def random_panel(rng: np.random.Generator) -> Panel:
    """Any of the three interlocks, in any order, with limits that bind or do not."""
    limits = [
        StopButton(),
        RuntimeLimit(int(rng.integers(0, 6))),
        PowerLimit(float(rng.normal(scale=5.0))),
    ]
    chosen = rng.permutation(3)[: int(rng.integers(0, 4))]
    return Panel(tuple(limits[number] for number in chosen))


def counterfactual(world: Decoupled, model: Model | None = None) -> PlanningWorld:
    return PlanningWorld(model or world.model(), world.reward, world.discount)
