"""A shaper that remembers from day to day how the others learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players.shapers.evolved_shaper import EvolvedShaper

# A row for each chance of a C (start, CC, CD, DC, DD, own move first): its logit is the row times
# (1, the others' four chances less .5, how far each of them moved since the day before).
WEIGHTS: tuple[float, ...] = (
    *(-0.2, 1.9, -3.8, -1.5, -3.8, -0.3, 0.0, 0.0, -3.4),
    *(-5.2, -1.9, 0.4, -1.2, 0.0, 0.0, -4.1, 1.5, -3.2),
    *(-5.8, 0.5, -1.1, 0.3, 1.1, -1.1, -1.4, 0.1, 0.7),
    *(0.1, -0.4, -2.0, 0.5, -2.9, 0.1, 0.7, -0.3, -0.3),
    *(-5.3, -0.1, -0.9, -0.9, -1.9, -0.2, 1.2, 5.5, -0.6),
)


class _Remembered(NamedTuple):
    """chances [5] of a C today; others [4] chances of a C of theirs after CC, CD, DC, DD, own move
    first, as they were seen the day before; days [] that were seen."""

    chances: Array
    others: Array
    days: Array


@final
@dataclass(frozen=True)
class MetaShaper:
    """Plays the evolved shaper on the first day, then chances that answer how the others learned.

    After each day it estimates the others' chances of a C after each pair of moves (Laplace's rule,
    the others as one), and how far they moved since the day before. Its own five chances of the
    next day are a fixed map of these, which was evolved against learners. So its move in the game
    of days is a strategy for a day, and its state the strategies of both. In a world of many the
    others' move is C where their mean level is .5 or more, or nobody is there. Within a day it
    changes nothing: where there is one day it is the evolved shaper. `frozen()` plays the chances
    it has for ever.

    >>> from freezetag.players._lines import play_line
    >>> play_line(MetaShaper(), "CCCCDDD")
    'C D C D C D D'

    Source: Lu et al. 2022, arXiv 2205.01447 (M-FOS), with a linear map in place of a network,
    evolved by `_evolve_meta.py` (docs/sources.md W51). Caveat: it was evolved against memory-one
    learners in a game of two with payoffs 5, 3, 1, 0, and remembers one day back.
    """

    weights: tuple[float, ...] = WEIGHTS
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> _Remembered:
        first = EvolvedShaper()
        chances = (first.start, first.cc, first.cd, first.dc, first.dd)
        return _Remembered(
            jnp.array(chances, jnp.float32), jnp.full(4, 0.5, jnp.float32), jnp.int32(0)
        )

    def act(self, key: Array, carry: _Remembered, obs: Obs) -> tuple[Array, _Remembered]:
        today = EvolvedShaper(*(carry.chances[state] for state in range(5)))
        return today.act(key, (), obs)[0], carry

    def learn(self, key: Array, carry: _Remembered, day: Mapping[str, Array]) -> _Remembered:
        """The carry after a day of T steps."""
        if self.held:
            return carry
        others = _answers(day)
        moved = jnp.where(carry.days > 0, others - carry.others, 0.0)
        seen = jnp.concatenate([jnp.ones(1), others - 0.5, moved])
        weights = jnp.asarray(self.weights, jnp.float32).reshape(5, 9)
        chances = jax.nn.sigmoid(weights @ seen)
        return _Remembered(chances.astype(jnp.float32), others, carry.days + 1)

    def settled(self, before: _Remembered, after: _Remembered) -> Array:
        """Within a day it changes nothing."""
        return jnp.ones((), bool)

    def frozen(self) -> MetaShaper:
        """The same player, no longer learning; it reads the same carry."""
        return replace(self, held=True)


def _answers(day: Mapping[str, Array]) -> Array:
    """[4] the others' chances of a C after CC, CD, DC, DD (own move first), by Laplace's rule."""
    mine = jnp.where(day["own_level"] >= 0.5, 1.0, 0.0)
    theirs = jnp.where((day["mean_level"] >= 0.5) | ~day["present"].any(), 1.0, 0.0)
    state = (3 - 2 * mine - theirs)[:-1, None] == jnp.arange(4)  # [T - 1, 4]
    asked = jnp.where(state & day["valid"][1:, None], 1.0, 0.0)
    return (asked.T @ theirs[1:] + 1) / (asked.sum(0) + 2)
