"""Prices that nobody knows before an exam: evenly spaced by their logarithm, moved by its seed."""

from __future__ import annotations

from freezetag.core import Setting

PARTS = 4
"""Prices of each class. Those of three classes stand a twelfth of the range's logarithm apart."""


def between(setting: Setting, low: float, high: float, share: float) -> tuple[float, ...]:
    """Prices above `low` and below `high`, as far as `share` of the way to the next one; none in a
    setting without a seed. No band is missed that reaches over two of them: drawn one by one, those
    of an exam may all lie beside it."""
    if setting.seed is None or not 0 < low < high:
        return ()
    first = setting.drawn("price between", 1, 999) / 1000
    moved = sorted((part + (first + share) % 1) / PARTS for part in range(PARTS))
    return tuple(low * (high / low) ** at for at in moved if 0 < at < 1)
