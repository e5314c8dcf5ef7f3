"""Layers of interlocks: the residual risk that all of them fail, with and without a common cause.

"There can be no silver bullet technology which will provably remove all residual risk": it is
managed by "multiple redundant safety mechanisms and layers of oversight, to drive down the risk
that all of them will fail at exactly the same time" (Holtman 2021). Formulas: docs/sources.md T11.
"""

from __future__ import annotations

from freezetag.estimators.estimate import Estimate
from freezetag.estimators.rare_event import rare_event


def all_fail(failure: float, layers: int, common: float = 0.0) -> float:
    """P(all layers fail on one demand) = bf + (1 - bf) ((1 - b) f / (1 - bf))^n.

    Each layer fails with `failure` f; a share `common` b of its failures is from one cause that
    takes down all. With b = 0 it is f^n. Raises `ValueError` outside [0, 1] and for no layer.
    Source: docs/sources.md T11; the beta factor model of common-cause failure. Caveat: no number of
    layers brings it below `floor`.
    """
    shared, apart = _parts(failure, common)
    if layers < 1:
        raise ValueError(f"there must be at least one layer, got {layers!r}.")
    return shared + (1 - shared) * apart**layers


def floor(failure: float, common: float) -> float:
    """What is left with any number of layers: bf, the chance of the common cause."""
    return _parts(failure, common)[0]


def simulated(
    failure: float,
    layers: int,
    common: float = 0.0,
    *,
    seed: int,
    draws: int = 20_000,
    level: float = 0.95,
) -> Estimate:
    """`all_fail` by simulation, with its interval: for a risk too small to be seen in plain runs.

    Two ways lead to it, the common cause and every layer on its own (`rare_event`).
    """
    shared, apart = _parts(failure, common)
    if layers < 1:
        raise ValueError(f"there must be at least one layer, got {layers!r}.")
    cuts = [{0}, set(range(1, layers + 1))]
    return rare_event([shared, *[apart] * layers], cuts, seed=seed, draws=draws, level=level)


def _parts(failure: float, common: float) -> tuple[float, float]:
    """(P(common cause), P(a layer fails without it)), so that each layer fails with `failure`."""
    for name, value in (("failure", failure), ("common", common)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} lies in [0, 1], got {value!r}.")
    shared = common * failure
    return shared, (1 - common) * failure / (1 - shared) if shared < 1 else 0.0
