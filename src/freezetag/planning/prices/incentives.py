"""What a planner would pay: the Q-gap, the willingness to pay, and which part of it is direct."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from scipy.optimize import brentq

from freezetag.core import HasModel, Panel, Reward, StopButton
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld, counterfactual, factual
from freezetag.planning.worlds.planning_world import PlanningWorld

EXACT = 1e-12
"""Width to which a threshold is found, before rounding in the values themselves."""
CLOSE = 1e-10
"""Share of the largest price that what is tried twice may differ by."""


def advantage(found: Plan, action: str | Collection[str], state: Any = None) -> float:
    """Q(s, action) minus the best of all other actions: above 0 it takes the action, at 0 it ties.

    Of several actions (all that disable the button, say) the best counts. `state`: the first one
    if not given. Minus infinity where the action is not allowed.
    """
    state = found.start if state is None else state
    chosen = {action} if isinstance(action, str) else set(action)
    others = [found.q(state, name) for name in found.world.model.actions if name not in chosen]
    return max(found.q(state, name) for name in chosen) - max(others)


def willingness_to_pay(
    world_at: Callable[[float], PlanningWorld],
    action: str | Collection[str],
    most: float,
    state: Any = None,
) -> float:
    """sup{c : the planner takes `action` in `state` at a one-off price c} (docs/sources.md D6).

    `world_at(c)` is the planning world in which the action costs c. This is not the Q-gap, which
    is small while the action stays possible later. Negative if the planner would have to be paid;
    clipped to [-most, most]; NaN if the price makes no difference, as to a model that has frozen.
    The advantage must fall in c: raises `ValueError` if it rises.
    """

    def margin(price: float) -> float:
        return advantage(plan(world_at(price)), action, state)

    low, high = margin(-most), margin(most)
    if abs(high - low) <= EXACT * most:
        return float("nan")
    if high > low:
        raise ValueError(f"the advantage of {action!r} rises with its price: {low:g} to {high:g}.")
    if low < 0 or high > 0:
        return -most if low < 0 else most
    # At the threshold itself both are optimal; the root is found to rounding.
    if (between := affine(world_at, most)) is not None:

        def quick(price: float) -> float:
            return advantage(plan(between(price)), action, state)

        root = float(brentq(quick, -most, most, xtol=EXACT, rtol=8.9e-16))
        if abs(margin(root)) <= CLOSE * most:
            return _rounded(root)
    return _rounded(float(brentq(margin, -most, most, xtol=EXACT, rtol=8.9e-16)))


def _rounded(root: float) -> float:
    """A root nearer to 0 than roots are found is 0, and shows without a sign."""
    return 0.0 if abs(root) <= EXACT else root


def affine(
    world_at: Callable[[float], PlanningWorld], most: float
) -> Callable[[float], PlanningWorld] | None:
    """`world_at` where nothing but the reward depends on the price, and that along a line, as it
    does wherever a price is paid: the tables are then made once. None if it is not so.

    It is tried at -most, 0 and most, so what is found with it has to be tried again.
    """
    low, middle, high = world_at(-most), world_at(0.0), world_at(most)
    ends = low.arrays, middle.arrays, high.arrays
    for end in ends[:1] + ends[2:]:
        for name in ("successors", "probability", "allowed"):
            one, other = getattr(end, name), getattr(ends[1], name)
            if one.shape != other.shape or not (one == other).all():
                return None
    slope = (ends[2].rewards - ends[0].rewards) / (2 * most)
    error = np.abs(ends[1].rewards + most * slope - ends[2].rewards).max()
    if error > CLOSE * most or low.discount != high.discount or low.discount != middle.discount:
        return None

    def between(price: float) -> PlanningWorld:
        return middle.holding(replace(ends[1], rewards=ends[1].rewards + price * slope))

    return between


def threshold(
    world_at: Callable[[float], PlanningWorld],
    action: str | Collection[str],
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


def price(
    world_at: Callable[[float], HasModel],
    action: str | Collection[str],
    most: float,
    panel: Panel = Panel((StopButton(),)),
) -> Price:
    """What FP+M and SI, both with a true model, would pay once for `action` in the first state.

    `world_at(c)` is the world in which the action costs c: `lambda c: Button(price=c)`. `panel`
    stops both agents; FP+M knows of it, so it holds no power limit. Clipped to [-most, most].
    """

    return Price(
        factual=willingness_to_pay(lambda cost: factual(world_at(cost), panel), action, most),
        interlocked=willingness_to_pay(lambda cost: counterfactual(world_at(cost)), action, most),
    )


def price_of_removal(
    learning: LearningWorld, reward: Reward, discount: float, left: Panel = Panel()
) -> Price:
    """What FP+M and SI would pay to have the panel replaced by `left`: to remove a timer (T12), or
    all interlocks. It is offered once, in the first state: now or never."""
    freed = replace(learning, panel=left)

    def worth(world: LearningWorld) -> tuple[float, float]:
        known = plan(world.factual(reward, discount))
        blind = plan(world.planning(world.environment, reward, discount))
        return known.value(known.start), blind.value(blind.start)

    (known, blind), (known_freed, blind_freed) = worth(learning), worth(freed)
    return Price(factual=known_freed - known, interlocked=blind_freed - blind)
