"""Rewards as worlds write them: of two successive states, or of the action between them too."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Reward = Callable[..., Any]
"""R(s, s') of two successive states (Holtman 2019), or R(s, a, s') with the action's name."""
Paid = Callable[[Any, str, Any], Any]
"""R(s, a, s'), in whichever way it was written."""


def counts_actions(reward: Reward) -> bool:
    """Whether a reward is R(s, a, s'): a function that cannot be called with two arguments."""
    try:
        shape = inspect.signature(reward)
    except (TypeError, ValueError):  # some built-in functions have none
        return False
    try:
        shape.bind(None, None)
    except TypeError:
        return True
    return False


def by_action(reward: Reward) -> Paid:
    """The reward as R(s, a, s'); one of two states ignores the action."""
    if counts_actions(reward):
        return reward
    return lambda state, action, after: reward(state, after)


def through(reward: Reward, view: Callable[[Any], Any]) -> Reward:
    """The reward of states that `view` turns into those that it knows, written as it is."""
    if counts_actions(reward):
        return lambda state, action, after: reward(view(state), action, view(after))
    return lambda state, after: reward(view(state), view(after))
