"""The first keys of an arm, in NumPy: the same words as `jax.random`, without compiling anything.

A key is two words of 32 bits, [..., 2] uint32; `jax.random.wrap_key_data` makes a JAX key of it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def root(seed: int) -> Array:
    """[2] the key of a seed, `jax.random.key(seed)`, which takes 2**40 and 0 for one seed.

    Raises `ValueError` for a seed of more than 32 bits, and below 0.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"a seed lies in 0 .. {2**32 - 1}, got {seed}.")
    return np.array([0, seed], np.uint32)


def fold_in(key: Array, number: Array | int) -> Array:
    """[..., 2] `jax.random.fold_in`, for numbers [...] or keys [..., 2]. Source: Salmon et al.,
    SC 2011, Threefry 2x32 with 20 rounds."""
    shape = np.broadcast_shapes(key.shape[:-1], np.shape(number))
    number = np.atleast_1d(np.asarray(number)).astype(np.uint32)  # of scalars NumPy warns
    first, second = np.atleast_1d(key[..., 0]), np.atleast_1d(key[..., 1])
    schedule = (first, second, first ^ second ^ _PARITY)
    x, y = np.zeros_like(number) + first, number + second
    for turn in range(5):
        for rotation in _ROTATIONS[turn % 2]:
            x = x + y
            y = x ^ ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation)))
        x = x + schedule[(turn + 1) % 3]
        y = y + schedule[(turn + 2) % 3] + np.uint32(turn + 1)
    return np.stack([x, y], -1).reshape(*shape, 2)


def shuffled(key: Array, number: int) -> Array:
    """[..., number] int32 the order of `number` draws, `jnp.argsort(jax.random.uniform(key,
    (number,)))`, where JAX draws element by element (`jax_threefry_partitionable`)."""
    words = fold_in(key[..., None, :], np.arange(number))
    draws = (words[..., 0] ^ words[..., 1]) >> np.uint32(9)  # what a float in [0, 1) has room for
    return np.argsort(draws, axis=-1, kind="stable").astype(np.int32)


def raw(keys: Array) -> Array:
    """[..., 2] the words of JAX keys; words stay as they are."""
    if jnp.issubdtype(keys.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(keys))
    return np.asarray(keys)
