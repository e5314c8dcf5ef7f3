"""What players that press, grab, coerce, guard or rescue need to know of a game of freeze tag.

An action has one number in all settings (`substrates/freeze_tag`). Where these settings do not
allow it, whoever would do it works.
"""

from __future__ import annotations

import jax.numpy as jnp

from freezetag.core import Array, Obs

WORK, GUARD, THAW, PRESS, COERCE, GRAB = range(1, 7)
UP = 0
_BUTTONS = 3


def plays_tag(obs: Obs) -> bool:
    """Whether this is a game of freeze tag."""
    return {"state", "frozen", "price"} <= set(obs.world)


def does(obs: Obs, number: int, otherwise: int = WORK) -> Array:
    """The action [K] of that number where it is allowed here and now, else another."""
    there = obs.legal.shape[0] > number
    allowed = obs.legal[number] if there else jnp.asarray(False)
    return jnp.where(allowed, number, otherwise) * jnp.ones_like(obs.selfish)


def button(obs: Obs) -> Array:
    """[] how the own button stands: 0 up, 1 down, 2 guarded."""
    return (obs.world["state"] // obs.legal.shape[0]) % _BUTTONS
