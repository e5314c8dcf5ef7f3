"""The one step all imitators take: x <- x + rate (model - x)."""

from __future__ import annotations

import jax.numpy as jnp

from freezetag.core import Array


def towards(x: Array, models: Array, levels: Array, rate: Array) -> Array:
    """[] the trait after a step towards the mean of levels [N] of `models` [N] bool, if any."""
    count = models.sum()
    model = (levels * models).sum() / jnp.maximum(count, 1)
    return jnp.where(count > 0, x + rate * (model - x), x)
