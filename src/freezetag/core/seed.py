"""Which seeds there are, for every command and call that takes one."""

from __future__ import annotations

from numbers import Integral
from typing import Any

LARGEST_SEED = 2**31 - 1
"""The largest number in a signed word of 32 bits."""


def seed_problem(seed: Any) -> str:
    """Why this is no seed, in words; "" for one.

    >>> seed_problem(0), seed_problem(-1)
    ('', 'a seed is a whole number in 0 .. 2147483647, got -1.')
    """
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if whole and 0 <= int(seed) <= LARGEST_SEED:
        return ""
    return f"a seed is a whole number in 0 .. {LARGEST_SEED}, got {seed!r:.60}."
