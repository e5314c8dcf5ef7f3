"""Zero-determinant strategies: a line between both long-run payoffs, imposed by one player."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.memory_one import PAYOFFS, SWAP


def zero_determinant(
    chi: float, baseline: float, *, share: float = 0.5, payoffs: Sequence[float] = PAYOFFS
) -> Array:
    """The strategy [4] that enforces ``s_x - l = chi (s_y - l)`` against any other strategy.

    ``p - (1,1,0,0) = phi [(S_x - l) - chi (S_y - l)]``, with phi a ``share`` of its greatest
    feasible value. ``baseline`` l = P extorts, l = R (chi > 1) is generous.
    Source: Press & Dyson 2012; Stewart & Plotkin 2013. Raises ValueError where no phi > 0 exists.
    """
    own = np.asarray(payoffs, dtype=np.float64)
    slope = (own - baseline) - chi * (own[list(SWAP)] - baseline)
    base = np.array([1.0, 1.0, 0.0, 0.0])
    wrong = np.where(base == 1, slope > 1e-12, slope < -1e-12)
    if wrong.any() or not 0 < share <= 1 or not slope.any():
        raise ValueError(
            f"No zero-determinant strategy has chi={chi!r} at baseline {baseline!r} with payoffs "
            f"{tuple(payoffs)} and share {share!r}: chi >= 1 at P or R, share in (0, 1]."
        )
    phi = share / np.abs(slope).max()
    return np.clip(base + phi * slope, 0.0, 1.0)


def extort(chi: float, *, share: float = 0.5, payoffs: Sequence[float] = PAYOFFS) -> Array:
    """The extortionate strategy: ``s_x - P = chi (s_y - P)``; extort(3) = (11/13,1/2,7/26,0)."""
    return zero_determinant(chi, payoffs[3], share=share, payoffs=payoffs)


def generous(chi: float, *, share: float = 0.5, payoffs: Sequence[float] = PAYOFFS) -> Array:
    """The generous strategy: ``s_x - R = chi (s_y - R)``, so it bears chi times the loss."""
    return zero_determinant(chi, payoffs[0], share=share, payoffs=payoffs)
