"""BiCGSTAB for the value of a policy, in chains that mix too slowly for plain sweeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from freezetag.core.arrays import Array


def bicgstab(
    expect: Callable[[Array, Array], None], value: Array, residual: Array, stop: float, most: int
) -> tuple[Array, Array]:
    """V and r + (discount P - 1) V, from V and its `residual`, all [S].

    Ends when the residual's span (max - min) is at most `stop`, after `most` products, or when
    the recurrence breaks down. `expect`(x, out) writes discount P x. What comes back never has a
    wider span than what was given; its residual is the recurrence's, so measure it anew.
    Source: van der Vorst 1992.
    """
    found, narrowest = (value.copy(), residual.copy()), float(np.ptp(residual))
    value, residual, shadow, direction = (
        value.copy(),
        residual.copy(),
        residual.copy(),
        residual.copy(),
    )
    mapped, turned, spare = (np.empty_like(value) for _ in range(3))
    rho = _dot(shadow, residual)
    for _ in range(most // 2):
        expect(direction, mapped)
        np.subtract(direction, mapped, out=mapped)
        if not (along := _dot(shadow, mapped)):
            break
        alpha = rho / along
        residual -= np.multiply(mapped, alpha, out=spare)
        expect(residual, turned)
        np.subtract(residual, turned, out=turned)
        if not (length := _dot(turned, turned)):
            break
        omega = _dot(turned, residual) / length
        value += np.multiply(direction, alpha, out=spare)
        value += np.multiply(residual, omega, out=spare)
        residual -= np.multiply(turned, omega, out=spare)
        span = float(np.ptp(residual))
        if not np.isfinite(span):
            break
        if span < narrowest:
            narrowest = span
            found[0][:], found[1][:] = value, residual
        if span <= stop or not rho or not omega:
            break
        before, rho = rho, _dot(shadow, residual)
        direction -= np.multiply(mapped, omega, out=spare)
        direction *= rho / before * alpha / omega
        direction += residual
    return found


def _dot(a: Array, b: Array) -> float:
    """Without BLAS, whose threads cost far more than they save when a core is taken."""
    return float(np.einsum("i,i", a, b))
