"""Learners whose parameters stop being numbers: their seat is stopped, what they knew is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import GO, Array, Event, Panel, PowerLimit
from freezetag.core.fingerprint import DIVERGED, UNREAD
from freezetag.core.interlock import UNKNOWN

NUMBERS = PowerLimit(math.inf, sensor="parameters")
"""Any number is allowed: it trips on what is none."""


class Divergence:
    """A watch over all learners of an arm of several days, between its days.

    What a learner carries is read after each day. Where a float of it is NaN, or has become
    infinite, the interlock `NUMBERS`, the last of the panel, trips as on any unknown reading: the
    seat is stopped from the next day on, and its policy is the last one that was all numbers: as it
    was at the day's end, before it learned from it, else at the day's begin. Where there is none,
    what it has is kept. An agent in Python is read by `fingerprints.lost`, and is asked to learn
    no more.

    Caveat: what is infinite as it begins may stand for "none yet", and is let pass while it is.

    `mode` [B, N]: in which mode each seat begins its next day.
    """

    def __init__(self, panel: Panel, shape: tuple[int, ...]) -> None:
        # A full panel gives its last place up, in this record alone.
        self._bit = min(len(panel.interlocks), UNKNOWN - 1)
        self.mode: Array = np.full(shape, GO, np.int32)
        self._good: dict[int, tuple[Any, ...]] = {}

    @property
    def any(self) -> bool:
        """Whether anybody is stopped."""
        return bool((self.mode != GO).any())

    def after(
        self, day: int, step: int, seat: int, data: Mapping[str, Any], ended: Any, learned: Any
    ) -> tuple[Any, tuple[Event, ...]]:
        """(policy to go on with, events) of a seat: `learned` is its policy after day `day`, whose
        last step is `step`, `ended` the one at its end, `data["carry"]` at its begin, if given."""
        begun = data.get("carry")
        if not jax.tree.leaves(learned):  # it carries nothing
            return learned, ()
        bad = lost(learned, ended if begun is None else begun)
        if not bad.any():
            return learned, ()
        news = bad & (self.mode[:, seat] == GO)
        for good in (ended, begun):
            if good is not None:
                take = bad & ~lost(good, begun)
                learned, bad = _where(take, good, learned), bad & ~take
        return learned, self._stopped(day, step, seat, news)

    def taught(
        self,
        day: int,
        days: int,
        step: int,
        seat: int,
        worker: Any,
        told: Sequence[Mapping[str, Any]],
    ) -> tuple[tuple[Any, ...], tuple[Event, ...]]:
        """(states [B] to go on with, events) of a seat of agents in Python, after they learned from
        the day that they are `told` of. On the last of `days` too they are read, but of one day
        alone nothing is. Raises `AgentFailed`."""
        if days == 1:
            worker.learn(told)
            return worker.save(), ()
        goes = self.mode[:, seat] == GO
        good = self._good.get(seat) or worker.save()
        worker.learn([own if go else None for own, go in zip(told, goes, strict=True)])
        read, states = worker.lost(), worker.save()
        news = goes & [bad for bad, _ in read]
        kept = zip(news | ~goes, good, states, strict=True)
        states = tuple(old if back else new for back, old, new in kept)
        if news.any() and None not in states:
            worker.load(states)
        self._good[seat] = states
        events = self._stopped(day, step, seat, news)
        unread = [(b, why) for b, (_, why) in enumerate(read) if why]
        return states, events + tuple(Event(b, step, seat, UNREAD, why) for b, why in unread)

    def _stopped(self, day: int, step: int, seat: int, news: Array) -> tuple[Event, ...]:
        """Stop a seat where there are `news` [B]; what is said of it."""
        reading = {NUMBERS.sensor: np.where(news, np.nan, 0.0)}
        self.mode[:, seat] |= Panel((NUMBERS,)).latch(GO, reading) << self._bit
        said = f"after day {day + 1} of learning a parameter is no finite number (NaN or infinite)"
        return tuple(Event(int(b), step, seat, DIVERGED, said) for b in news.nonzero()[0])


def lost(carry: Any, before: Any = None) -> Array:
    """[B] bool: some float of what is carried, leaves [B, ...], is NaN, or is infinite and was not
    `before`."""
    leaves = jax.tree.leaves(carry)
    was = leaves if before is None else jax.tree.leaves(before)
    bad = [_lost(*pair) for pair in zip(leaves, was, strict=True) if _is_float(pair[0])]
    return np.any(bad, axis=0) if bad else np.zeros(len(leaves[0]), bool)


def _lost(leaf: Any, was: Any) -> Array:
    now, then = (np.asarray(one).astype(np.float64) for one in (leaf, was))
    bad: Array = np.isnan(now) | (np.isinf(now) & ~np.isinf(then))
    return bad.reshape(len(now), -1).any(1)


def _is_float(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def _where(take: Array, good: Any, other: Any) -> Any:
    def chosen(one: Any, two: Any) -> Array:
        return np.where(take.reshape(-1, *(1,) * (np.ndim(two) - 1)), one, two)

    return jax.tree.map(chosen, good, other)
