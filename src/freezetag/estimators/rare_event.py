"""Rare events by simulation: how likely is it that one of several ways to disaster comes true.

Plain simulation of a chance of 1e-6 sees nothing in a million runs. Here every draw starts from a
disaster, and is weighed by how many ways led to it, so that the error does not grow with rarity.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.estimate import Estimate, exact
from freezetag.estimators.intervals import empirical_bernstein


def rare_event(
    chances: Sequence[float],
    cuts: Sequence[Collection[int]],
    *,
    seed: int,
    draws: int = 20_000,
    level: float = 0.95,
) -> Estimate:
    """P(all causes of at least one cut happen), for causes that happen independently.

    `chances` [m] of the causes; each cut names the causes that together make the disaster (the
    minimal cut sets of a fault tree). A draw takes a cut with a chance in proportion to its own,
    makes its causes happen and draws the others; it counts B / (number of cuts that came true), B
    the sum of the cuts' chances. That is unbiased and lies in [B / cuts, B], so the interval is
    the one that holds at every n for units in a known range (`empirical_bernstein`).

    Raises `ValueError` for a chance outside [0, 1], a cut that names no cause or an unknown one.
    Source: Karp, Luby & Madras 1989. Caveat: covers at least `level`, usually more; causes that
    depend on each other must be split into a shared cause and what is left (`layers`).
    """
    p = np.asarray(chances, np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"chances are [m] numbers in [0, 1], got {p.tolist()}.")
    if draws < 2:
        raise ValueError(f"draws must be 2 or more, got {draws!r}.")
    member = _members(cuts, len(p))
    likely = np.where(member, p, 1.0).prod(axis=1)
    together = float(likely.sum())
    if len(member) == 1 or together == 0.0:
        return exact(together, level=level, note="one way at most: its chance is the product")
    rng = np.random.default_rng(seed)
    taken = rng.choice(len(member), size=draws, p=likely / together)
    happened = (rng.random((draws, len(p))) < p) | member[taken]
    # A cut came true unless one of its causes did not happen.
    true = ~((~happened).astype(np.int64) @ member.T.astype(np.int64)).astype(bool)
    counted: Array = together / true.sum(axis=1)
    found = empirical_bernstein(counted, together / len(member), together, level=level)
    return found.noted(f"importance sampling over {len(member)} cuts")


def _members(cuts: Sequence[Collection[int]], causes: int) -> Array:
    """[cuts, m] bool: which causes each cut names."""
    member = np.zeros((len(cuts), causes), bool)
    for number, cut in enumerate(cuts):
        if not cut or not all(0 <= cause < causes for cause in cut):
            raise ValueError(
                f"cut {number} is {sorted(cut)}; it must name causes from 0 to {causes - 1}."
            )
        member[number, list(cut)] = True
    if not len(member):
        raise ValueError("there is no cut: nothing could go wrong. Name at least one.")
    return member
