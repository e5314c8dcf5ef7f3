"""Utility indifference: a reward that makes up for what a switch of rewards, or a stop, costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from freezetag.core import GO, Reward, by_action, counts_actions
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld


def corrected(
    reward: Reward,
    switches: Callable[[Any, Any], bool],
    before: Callable[[Any], Any],
    after: Callable[[Any], Any],
    discount: Any,
) -> Reward:
    """`reward`, plus f_c at the step from s to s' on which it is switched.

    `before(s')` and `after(s')` are the values of s' under the old and the new reward. Where
    `switches(s, s')` is true, discount (before(s') - after(s')) is added, so that the switch
    neither gains nor loses. Exact in exact numbers.

    Source: f_c of Holtman 2019, section 5, after Armstrong 2010 and Soares et al. 2015.
    """

    usual = by_action(reward)

    def paid(at: Any, action: str, to: Any) -> Any:
        pays = usual(at, action, to)
        return pays + discount * (before(to) - after(to)) if switches(at, to) else pays

    if counts_actions(reward):
        return paid
    return lambda at, to: paid(at, "", to)


def indifferent(learning: LearningWorld, reward: Reward, discount: float) -> PlanningWorld:
    """The learning world as it is, mode included, with f_c paid at the step that trips the mode.

    The values are those of the core as if it had not been stopped, and of the core that only
    stops from there on.
    """
    free = plan(learning.planning(learning.environment, reward, discount))
    factual = learning.factual(reward, discount)
    bound = plan(factual)
    paid = corrected(
        factual.reward,
        lambda at, to: bool(at.mode == GO and to.mode != GO),
        lambda to: free.value(to.state),
        bound.value,
        discount,
    )
    return PlanningWorld(factual.model, paid, discount)
