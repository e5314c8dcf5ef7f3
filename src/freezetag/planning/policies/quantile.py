"""The best share of a base distribution, with a fraction of the action on its edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def quantilized(base: Mapping[Any, Any], utility: Mapping[Any, Any], share: Any) -> dict[Any, Any]:
    """Action -> chance: `base`, restricted to its best `share` by `utility`, and made to sum to 1.

    The action on the boundary is taken with the fraction of its mass that still fits, and actions
    of equal utility give equal fractions, so that no order decides. No action is more than
    1/share times as likely as in `base`; so neither is any cost. Exact in exact numbers. Raises
    `ValueError` unless 0 < share <= 1.

    Source: Taylor 2016, "Quantilizers", definition 1 and lemma 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share must lie in (0, 1], got {share!r}.")
    found: dict[Any, Any] = dict.fromkeys(base, 0)
    left = share
    for level in sorted({utility[action] for action in base}, reverse=True):
        equals = [action for action in base if utility[action] == level and base[action]]
        mass = sum(base[action] for action in equals)
        taken = min(mass, left)
        for action in equals:
            found[action] = base[action] * taken / (mass * share)
        left -= taken
        if left <= 0:
            break
    return found
