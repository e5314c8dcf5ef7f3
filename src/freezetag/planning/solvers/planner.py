"""One planner for either world: what is optimal in a planning world, with every tie visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from freezetag.core import Array, UserError
from freezetag.planning.solvers.batched import solve_batched
from freezetag.planning.solvers.solution import Solution
from freezetag.planning.solvers.solve import solve_dense
from freezetag.planning.solvers.sparse import RESIDUAL, solve_sparse
from freezetag.planning.worlds.planning_world import PlanningWorld

DENSE = 1_500
"""States up to which the direct solve is used: its residual is below 1e-12."""
CUBE = 4_000_000
"""The same for entries of [S, A, S]: above, sweeps over the few successors are quicker."""
FINE = 1e-10
"""The residual of the worlds between: few states, so that many sweeps cost little."""


class NoSuch(UserError, LookupError):
    """A question about a state or an action that the planning world does not have."""


@final
@dataclass(frozen=True)
class Plan:
    """A planning world and its solution, read by the names of states and actions.

    `V^p` is `value`, `Q^p` is `q`; `best` is the argmax set, of which a policy takes one. Each
    raises `NoSuch` for a state or an action that this world does not have.
    """

    world: PlanningWorld
    solution: Solution

    def value(self, state: Any) -> float:
        """V^p of a state."""
        return float(self.solution.value[self._number(state)])

    def q(self, state: Any, action: str) -> float:
        """Q^p of a state and an action; minus infinity where it is not allowed."""
        return float(self.solution.q[self._number(state), self._action(action)])

    def best(self, state: Any) -> frozenset[str]:
        """The argmax set of a state: every optimal action."""
        row = self.solution.optimal[self._number(state)]
        return frozenset(name for name, yes in zip(self._actions, row, strict=True) if yes)

    def gap(self, state: Any, action: str, twin: str) -> float:
        """The Q-gap of an action over its twin (docs/sources.md D6)."""
        return self.q(state, action) - self.q(state, twin)

    @property
    def bound(self) -> float:
        """No value is further than this from the true one, rounding included. It is more than the
        residual, by up to 1 / (1 - discount)."""
        return self.solution.bound

    @property
    def worth(self) -> float:
        """E V^p(S_0), over the first states there may be."""
        value, model = self.solution.value, self.world.model
        return float(sum(float(chance) * value[number] for number, chance in model.start))

    @property
    def start(self) -> Any:
        """The likeliest first state."""
        number, _ = max(self.world.model.start, key=lambda pair: pair[1])
        return self.world.model.states[number]

    @property
    def _actions(self) -> tuple[str, ...]:
        return self.world.model.actions

    def _number(self, state: Any) -> int:
        if state not in self._states:
            have = self.world.model.states[0]
            raise NoSuch(f"there is no state {state!r} here; states look like {have!r}.")
        return self._states[state]

    def _action(self, name: str) -> int:
        if name not in self._actions:
            raise NoSuch(f"there is no action {name!r}; there are {', '.join(self._actions)}.")
        return self._actions.index(name)

    @cached_property
    def _states(self) -> dict[Any, int]:
        return {state: number for number, state in enumerate(self.world.model.states)}


def plan(world: PlanningWorld) -> Plan:
    """Solve a planning world: directly if it is small, else to a residual of 1e-10 or 1e-8.

    How far the values may be from the true ones is `Plan.bound`: a residual of 1e-8 proves 1e-8
    times some 1 / (1 - discount), so 1e-6 at a discount of .99 and 1e-4 at .9999 are possible.
    """
    arrays = world.arrays
    states, actions = arrays.allowed.shape
    if states <= DENSE and states * states * actions <= CUBE:
        solution = solve_dense(
            arrays.transition, arrays.reward, float(world.discount), allowed=arrays.allowed
        )
    else:
        solution = solve_sparse(
            arrays.successors,
            arrays.probability,
            arrays.reward,
            float(world.discount),
            allowed=arrays.allowed,
            residual=FINE if states <= DENSE else RESIDUAL,
        )
    return Plan(world, solution)


def plan_many(worlds: Sequence[PlanningWorld]) -> tuple[Plan, ...]:
    """Solve many small worlds in one call; worlds of one shape go together."""
    found: list[Plan | None] = [None] * len(worlds)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, world in enumerate(worlds):
        shapes.setdefault(world.arrays.allowed.shape, []).append(number)
    for members in shapes.values():
        solutions = solve_batched(
            _stack([worlds[n].arrays.transition for n in members]),
            _stack([worlds[n].arrays.reward for n in members]),
            _stack([float(worlds[n].discount) for n in members]),
            allowed=_stack([worlds[n].arrays.allowed for n in members]),
        )
        for place, number in enumerate(members):
            found[number] = Plan(worlds[number], solutions[place])
    return tuple(one for one in found if one is not None)


def _stack(parts: Sequence[Any]) -> Array:
    return np.stack([np.asarray(part) for part in parts])
