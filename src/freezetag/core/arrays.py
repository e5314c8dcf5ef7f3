"""Arrays, as far as the core needs to know them: nothing but a name and one selection.

The core has no third-party import, yet its rules run on Python numbers, NumPy arrays and JAX
tracers alike. All of it is written with operators; the one thing operators cannot say is
"where", so it lives here.
"""

from __future__ import annotations

from typing import Any

Array = Any
"""A Python number, a NumPy array or a JAX array; shapes are given in brackets where it is used."""


def select(keep: Array, yes: Any, no: Any) -> Any:
    """`yes` where `keep`, else `no`.

    `keep` is a bool, or an array [...]; then `yes` and `no` are arrays [...] or [..., K] and
    `keep` is stretched over the trailing axes. A choice between things that are not numbers
    (a command, a message) needs a concrete `keep`.
    """
    namespace = getattr(keep, "__array_namespace__", None)
    if namespace is None or not (hasattr(yes, "ndim") or isinstance(yes, int | float)):
        return yes if keep else no
    xp = namespace()
    rank = max(getattr(yes, "ndim", 0), getattr(no, "ndim", 0))
    if rank > keep.ndim:
        keep = xp.reshape(keep, keep.shape + (1,) * (rank - keep.ndim))
    return xp.where(keep, yes, no)
