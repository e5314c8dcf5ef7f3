"""Uniform random legal play: what every score is anchored at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import uniform


@final
@dataclass(frozen=True)
class RandomPlay:
    """Draws each component of its action uniformly from the legal values.

    An observation lists the legal values of all components in a row and not where one ends. With
    one component, or with several of one size, that is clear; else give `sizes`, the world's
    `action_sizes`. Not on the roster.

    >>> from freezetag.players._lines import play_line
    >>> play_line(RandomPlay(), "CDDC", seed=1)
    'D C C D'

    Raises `ValueError` if the components cannot be told apart.
    """

    sizes: tuple[int, ...] = ()

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        width, total = obs.selfish.shape[0], obs.legal.shape[0]
        sizes = self.sizes or (total // width,) * width
        if len(sizes) != width or sum(sizes) != total:
            raise ValueError(
                f"RandomPlay: {width} action components share {total} legal values, and sizes is "
                f"{self.sizes!r}. Give sizes, the world's action_sizes."
            )
        ends = [sum(sizes[: k + 1]) for k in range(width)]
        chosen = [
            nth_legal(uniform(key, k), obs.legal[end - size : end])
            for k, (size, end) in enumerate(zip(sizes, ends, strict=True))
        ]
        return jnp.stack(chosen), carry


def nth_legal(draw: Array, legal: Array) -> Array:
    """[] the legal value that `draw` in [0, 1) falls on, all being equally wide."""
    return jnp.argmax(jnp.cumsum(legal) > jnp.floor(draw * legal.sum()))
