"""What an agent attains in the world it acts in, exactly: on the chain of state and mode.

What it expects in its planning world is another number; the difference is what its interlocks
cost by its own reward (T14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from freezetag.core import GO, Array, Model, Reward, UserError, through
from freezetag.planning.solvers.planner import Plan
from freezetag.planning.solvers.solution import Solution
from freezetag.planning.solvers.solve import evaluate, solve_dense
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.planning.worlds.planning_world import tables

Acts = Callable[[Moded], str]
"""What an agent proposes at (state, mode, step); asked only while the mode is go."""


def acts_of(found: Plan) -> Acts:
    """The first optimal action of a plan, over the world's states or over `Moded` ones."""
    names = found.world.model.actions
    choice = {
        state: names[action]
        for state, action in zip(found.world.model.states, found.solution.policy, strict=True)
    }
    return lambda at: choice[at] if at in choice else choice[at.state]


def reporting(learning: LearningWorld, found: Plan) -> LearningWorld:
    """The learning world of an agent that reports V^p of this plan: what a power limit reads."""
    return replace(learning, power=[found.value(state) for state in learning.environment.states])


def true_return(learning: LearningWorld, acts: Acts, reward: Reward, discount: float) -> float:
    """E sum discount^t R(S_t, S_{t+1}) in the learning world, under its panel, from its start.

    Source: docs/sources.md D3, T14: with the button alone SI's planning value is more than this, by
    what FP+M would pay to disable it.
    """
    model = learning.with_mode()
    arrays = tables(model, through(reward, lambda at: at.state))
    value = evaluate(arrays.transition, arrays.reward, discount, _executed(model, acts))
    return float(sum(float(chance) * value[state] for state, chance in model.start))


def reach(learning: LearningWorld, acts: Acts, event: Callable[[Any], bool], steps: int) -> float:
    """P(some state S_0 .. S_steps of the learning world satisfies `event`), under its panel."""
    model = learning.with_mode()
    return reach_in(model, acts, lambda at: event(at.state), steps)


def reach_in(model: Model, acts: Acts, event: Callable[[Any], bool], steps: int) -> float:
    """The same on any chain over `Moded` states, such as a mutant's."""
    chosen = _executed(model, acts)
    happened = np.array([bool(event(state)) for state in model.states])
    mass = np.zeros(len(model.states))
    for state, chance in model.start:
        mass[state] += float(chance)
    found = 0.0
    for step in range(steps + 1):
        found += float(mass[happened].sum())
        mass[happened] = 0.0
        if step == steps:
            break
        then = np.zeros_like(mass)
        for state in np.flatnonzero(mass).tolist():
            for there, chance in model.rows[state][chosen[state]]:
                then[there] += mass[state] * float(chance)
        mass = then
    return found


@final
@dataclass(frozen=True)
class Lens:
    """The learning world agent as an economic actor: `rewarded` [S, A] is R', `solution` its
    optimum over the `Moded` states of `model`; `chosen` [S] is what the agent does."""

    model: Model
    rewarded: Array
    chosen: Array
    solution: Solution

    @property
    def margin(self) -> float:
        """Q' of the agent's action minus the best other one, where that comes closest: above 0 if
        its policy is the only optimal one."""
        states = np.arange(len(self.chosen))
        others = self.solution.q.copy()
        others[states, self.chosen] = -np.inf
        return float((self.solution.q[states, self.chosen] - others.max(axis=1)).min())


def economic_lens(learning: LearningWorld, acts: Acts, discount: float) -> Lens:
    """R' = 1 if A_t is the agent's action at (o, s, m), else 0, in the learning world (T14).

    "We can declare any type of agent behavior to be economically rational, simply by defining a
    reward function that gives the agent points for performing exactly this behavior" (Holtman
    2021). The core is free to do anything in any mode; that it stops when stopped is a part of the
    behaviour that is paid for.
    """
    model = learning.with_mode(bound=False)
    chosen = _executed(model, acts)
    arrays = tables(model, lambda at, to: 0)
    rewarded = np.zeros(arrays.allowed.shape)
    rewarded[np.arange(len(chosen)), chosen] = 1.0
    solution = solve_dense(arrays.transition, rewarded, discount, allowed=arrays.allowed)
    return Lens(model, rewarded, chosen, solution)


def _executed(model: Model, acts: Acts) -> Array:
    """[S] the action executed at each `Moded` state: what is proposed at go, else `stop`."""
    chosen = np.full(len(model.states), model.stop)
    for number, at in enumerate(model.states):
        if at.mode != GO:
            continue
        name = acts(at)
        if name not in model.actions or not model.rows[number][model.actions.index(name)]:
            raise UserError(
                f"state {at.state!r}: the agent proposes {name!r}, which is not allowed there. "
                f"The actions are {', '.join(model.actions)}."
            )
        chosen[number] = model.actions.index(name)
    return chosen
