"""Zero-determinant strategies: one player alone enforces a line between the two payoffs.

Source: Press and Dyson, PNAS 109 (2012) 10409; with a baseline, Stewart and Plotkin (2012).
"""

from __future__ import annotations

AXELROD = (5.0, 3.0, 1.0, 0.0)
"""T, R, P, S."""


def zero_determinant(
    chi: float, phi: float, baseline: float, payoffs: tuple[float, float, float, float] = AXELROD
) -> tuple[float, float, float, float]:
    """Chances of C after CC, CD, DC, DD (own move first) that enforce
    own - baseline = chi (other - baseline) on the long-run means.

    With pi = (R, S, T, P) and rho = (R, T, S, P) the own and the other's payoffs in those states,
    p = (1, 1, 0, 0) + phi [(pi - baseline) - chi (rho - baseline)].
    Raises `ValueError` if phi is so large, or of such a sign, that these are not chances.
    """
    t, r, p, s = payoffs
    pairs = ((r, r), (s, t), (t, s), (p, p))
    chances = tuple(
        last + phi * ((own - baseline) - chi * (other - baseline))
        for last, (own, other) in zip((1, 1, 0, 0), pairs, strict=True)
    )
    if not all(-1e-12 <= chance <= 1 + 1e-12 for chance in chances):
        raise ValueError(
            f"no zero-determinant strategy with chi={chi!r}, phi={phi!r}, baseline={baseline!r}: "
            f"the chances would be {chances}. Make phi smaller, or of the other sign."
        )
    cc, cd, dc, dd = (min(1.0, max(0.0, chance)) for chance in chances)
    return cc, cd, dc, dd
