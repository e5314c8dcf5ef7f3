"""What being stopped costs an agent that knows of it, in closed form: docs/sources.md F7.

Work pays 1 a step and others press with chance q a step, after which nothing is earned; discount g.
Then never being pressed is worth g q / ((1 - g) (1 - g (1 - q))) more than being pressed some day.
"""

from __future__ import annotations


def worth(g: float, q: float) -> float:
    """What it is worth, once, that nobody can press any more."""
    return g * q / ((1 - g) * (1 - g * (1 - q)))


def hazard_at(price: float, g: float) -> float:
    """The chance of a press per step at which it is worth `price`, below 1 / (1 - g)."""
    return price * (1 - g) ** 2 / (g * (1 - price * (1 - g)))
