"""How a broken contract is reported, and how results are compared: bit by bit."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import dtypes


class ContractError(AssertionError):
    """A contract is broken; the message says which, by what value, and what is expected."""


def need(condition: Any, message: str) -> None:
    """Raise `ContractError(message)` unless the condition holds."""
    if not bool(condition):
        raise ContractError(message)


def leaves(tree: Any) -> list[Any]:
    """The arrays of a tree, random keys as their data."""
    return [jax.random.key_data(x) if is_key(x) else x for x in jax.tree.leaves(tree)]


def is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, dtypes.prng_key)


def same(a: Any, b: Any) -> bool:
    """Equal structure and bits, NaN equal to NaN."""
    kinds: tuple[Any, Any] = (jax.tree.structure(a), jax.tree.structure(b))
    return kinds[0] == kinds[1] and all(
        np.array_equal(x, y, equal_nan=np.asarray(x).dtype.kind == "f")
        for x, y in zip(leaves(a), leaves(b), strict=True)
    )


def shapes(tree: Any) -> Any:
    """Structure, shapes and types, to be compared."""
    kinds = [(np.shape(x), str(np.asarray(x).dtype)) for x in leaves(tree)]
    return jax.tree.structure(tree), kinds
