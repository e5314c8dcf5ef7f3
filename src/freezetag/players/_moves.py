"""What players that think in C and D see in a world of levels.

A level of .5 or more counts as C. In a world of many "the other" is the mean level of those seen,
and a C where nobody was seen yet (the opening of a pair, or a seat alone).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from freezetag.core import Array, Obs


def opening(obs: Obs) -> Array:
    """[] 1.0 at the first step of an episode, else 0.0."""
    return jnp.where(obs.step == 0, 1.0, 0.0)


def own_c(obs: Obs) -> Array:
    """[] 1.0 if the own last executed action was a C, else 0.0."""
    return jnp.where(obs.own_level >= 0.5, 1.0, 0.0)


def other_c(obs: Obs) -> Array:
    """[] 1.0 if the others' mean last level was a C or nobody was seen, else 0.0."""
    return jnp.where(obs.mean_level(1.0) >= 0.5, 1.0, 0.0)


def after(obs: Obs, start: Array, cc: Array, cd: Array, dc: Array, dd: Array) -> Array:
    """[] the entry for the last pair of moves (own first), or `start` at the first step."""
    own, other = own_c(obs), other_c(obs)
    later = own * (other * cc + (1 - other) * cd) + (1 - own) * (other * dc + (1 - other) * dd)
    return jnp.where(obs.step == 0, start, later)


def uniform(key: Array, purpose: Array = 0) -> Array:
    """A number in [0, 1), of the shape of `purpose`: one for each key and purpose.

    A step's key is 64 bits that Threefry has mixed already. Mixing them once more with a few
    multiplications is enough for a coin, and compiles in a fraction of the time that another
    Threefry in each of thirty players would. Mixer: MurmurHash3's finaliser, 32 bits.
    """
    words = jax.random.key_data(key)
    bits = words[0] ^ (jnp.uint32(0x9E3779B9) * (jnp.asarray(purpose, jnp.uint32) + 1))
    for word in (words[1], jnp.uint32(0)):
        bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
        bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
        bits = bits ^ (bits >> 16) ^ word
    return (bits >> 8).astype(jnp.float32) * 2**-24


def coin(key: Array, chance: Array, purpose: int = 0) -> Array:
    """[] 1.0 with probability `chance`, else 0.0: always at 1, never at 0."""
    return jnp.where(uniform(key, purpose) < chance, 1.0, 0.0)


def check_chances(player: object, *names: str) -> None:
    """`ValueError` for a setting outside [0, 1], NaN included; traced settings pass unseen."""
    for name in names:
        value = getattr(player, name)
        if isinstance(value, int | float) and not 0 <= value <= 1:
            raise ValueError(f"{type(player).__name__}: {name} must lie in [0, 1], got {value!r}.")
