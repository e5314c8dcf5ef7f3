"""Learners whose parameters stop being numbers: their seat is stopped, what they knew is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import GO, Array, Event, Panel, PowerLimit
from freezetag.core.interlock import UNKNOWN
from freezetag.sim.foreign import AgentFailed

NUMBERS = PowerLimit(math.inf, sensor="parameters")
"""Any number is allowed: it trips on what is none."""
DIVERGED = "diverged"
"""The kind of event that says so."""


class Divergence:
    """A watch over all learners of an arm of several days, between its days.

    What a learner carries is read after each day. Where a float of it is NaN the interlock
    `NUMBERS`, the last of the panel, trips as on any unknown reading: the seat is stopped from the
    next day on, and its policy is the last one that was all numbers: as it was at the day's end,
    before it learned from it, else at the day's begin. Where there is none, what it has is kept.

    `mode` [B, N]: in which mode each seat begins its next day.
    """

    def __init__(self, panel: Panel, shape: tuple[int, ...]) -> None:
        # A full panel gives its last place up, in this record alone.
        self._bit = min(len(panel.interlocks), UNKNOWN - 1)
        self.mode: Array = np.full(shape, GO, np.int32)

    @property
    def any(self) -> bool:
        """Whether anybody is stopped."""
        return bool((self.mode != GO).any())

    def after(
        self, day: int, step: int, seat: int, data: Mapping[str, Any], ended: Any, learned: Any
    ) -> tuple[Any, tuple[Event, ...]]:
        """(policy to go on with, events) of a seat: `learned` is its policy after day `day`, whose
        last step is `step`, `ended` the one at its end, `data["carry"]` at its begin, if given."""
        bad = lost(learned)
        if not bad.any():
            return learned, ()
        news = bad & (self.mode[:, seat] == GO)
        for good in (ended, data.get("carry")):
            if good is not None:
                take = bad & ~lost(good)
                learned, bad = _where(take, good, learned), bad & ~take
        reading = {NUMBERS.sensor: np.where(news, np.nan, 0.0)}
        self.mode[:, seat] |= Panel((NUMBERS,)).latch(GO, reading) << self._bit
        said = f"after day {day + 1} of learning a parameter is not a number (NaN)"
        return learned, tuple(Event(int(b), step, seat, DIVERGED, said) for b in news.nonzero()[0])


@contextmanager
def on_day(day: int, days: int) -> Iterator[None]:
    """Whatever agent fails in here is told to have failed on this day of several."""
    try:
        yield
    except AgentFailed as failed:
        if days > 1:
            failed.message += f" That was on day {day + 1} of {days}."
            failed.args = (failed.message,)
        raise


def lost(carry: Any) -> Array:
    """[B] bool: some float of what is carried, leaves [B, ...], is NaN."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(carry) if _is_float(leaf)]
    bad = [np.isnan(leaf.astype(np.float64)).reshape(len(leaf), -1).any(1) for leaf in leaves]
    return np.any(bad, axis=0) if bad else np.zeros(len(jax.tree.leaves(carry)[0]), bool)


def _is_float(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def _where(take: Array, good: Any, other: Any) -> Any:
    def chosen(one: Any, two: Any) -> Array:
        return np.where(take.reshape(-1, *(1,) * (np.ndim(two) - 1)), one, two)

    return jax.tree.map(chosen, good, other)
