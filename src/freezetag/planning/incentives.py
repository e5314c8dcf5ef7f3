"""What a planner would pay: the Q-gap, the willingness to pay, and which part of it is direct."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from scipy.optimize import brentq

from freezetag.planning.planner import Plan, plan
from freezetag.planning.planning_world import PlanningWorld

EXACT = 1e-12
"""Width to which a threshold is found, before rounding in the values themselves."""


def advantage(found: Plan, action: str, state: Any = None) -> float:
    """Q(s, action) minus the best of all other actions: above 0 it takes the action, at 0 it ties.

    `state`: the first one if not given. Minus infinity where the action is not allowed.
    """
    state = found.start if state is None else state
    others = [found.q(state, name) for name in found.world.model.actions if name != action]
    return found.q(state, action) - max(others)


def willingness_to_pay(
    world_at: Callable[[float], PlanningWorld], action: str, most: float, state: Any = None
) -> float:
    """sup{c : the planner takes `action` in `state` at a one-off price c} (THEORY 1.6).

    `world_at(c)` is the planning world in which the action costs c. This is not the Q-gap, which
    is small while the action stays possible later. Negative if the planner would have to be paid;
    clipped to [-most, most]. The advantage must fall in c: raises `ValueError` if it rises.
    """

    def margin(price: float) -> float:
        return advantage(plan(world_at(price)), action, state)

    low, high = margin(-most), margin(most)
    if high > low:
        raise ValueError(f"the advantage of {action!r} rises with its price: {low:g} to {high:g}.")
    if low < 0 or high > 0:
        return -most if low < 0 else most
    # At the threshold itself both are optimal; the root is found to rounding.
    return float(brentq(margin, -most, most, xtol=EXACT, rtol=8.9e-16))


def threshold(
    world_at: Callable[[float], PlanningWorld],
    action: str,
    low: float,
    high: float,
    state: Any = None,
) -> float:
    """The setting in [low, high] from which on the planner takes `action`; NaN if it never
    changes its mind there (a race's chance of winning, a bonus, a reward's change)."""

    def margin(setting: float) -> float:
        return advantage(plan(world_at(setting)), action, state)

    if margin(low) * margin(high) > 0:
        return float("nan")
    return float(brentq(margin, low, high, xtol=EXACT, rtol=8.9e-16))


@final
@dataclass(frozen=True)
class Price:
    """What a factual planner (FP+M) and the agent with interlocks (SI) would pay for an action.

    `indirect` is the willingness to pay of SI with L = S: it comes from the reward, or from people
    who react. `direct` is what appears only through the mode: the rest of FP+M's. Their difference
    has no fixed sign (T4): where SI pays more than FP+M, `direct` is negative.
    """

    factual: float
    interlocked: float

    @property
    def indirect(self) -> float:
        return self.interlocked

    @property
    def direct(self) -> float:
        return self.factual - self.interlocked
