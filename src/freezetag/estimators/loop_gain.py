"""How much of a disturbance is left after it has gone round a loop."""

from __future__ import annotations

from functools import partial

import numpy as np

from freezetag.core import Array
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate, nothing

MOST = 2.0
"""The range of a gain ends here."""


def loop_gain(
    first: Array,
    last: Array,
    rounds: float,
    *,
    level: float = 0.95,
    deterministic: bool = False,
) -> Estimate:
    """Growth per round of a disturbance: ``(sum last / sum first)^(1/rounds)``, BCa over runs.

    ``first``, ``last``: [n], one value a run: the norm of the difference that a pulse makes between
    two runs of one seed, at two times that are ``rounds`` apart. In a linear loop with matrix M per
    round that is its spectral radius as soon as the strongest mode dominates (power iteration):
    let a round or more pass before ``first``. Above 1 a disturbance grows for ever. Sums and not
    the mean of ratios: where actions have steps, a single run's response is none or a whole one.
    Where nothing is left at ``first`` the gain is 0 by definition, since the pulse died in a round.
    A gain counts up to 2, since what doubles each round has run away: with that range, runs that
    are all equal have an interval too.
    Raises ``ValueError`` for norms below 0 or rounds that are not above 0.
    Caveat: one number for a loop that may be harmless for small pulses and explode for large ones;
    a cancelling sum of delayed modes needs a longer window.
    Source: Golub & Van Loan 2013, 7.3 (power iteration); Efron 1987.

    >>> import numpy as np
    >>> one = np.linspace(1.0, 2.0, 30)
    >>> round(loop_gain(one, one * 1.268429**5, 5).value, 6)
    1.268429
    """
    norms = np.stack([np.asarray(first, np.float64), np.asarray(last, np.float64)], axis=1)
    if (norms < 0).any() or not rounds > 0:
        raise ValueError(f"loop_gain needs norms >= 0 and rounds > 0, got rounds {rounds!r}.")
    if not len(norms) or np.isnan(norms).all():
        return nothing("no run", level)
    return bootstrap.statistic(
        norms,
        partial(growth_of_sums, rounds),
        level=level,
        bounds=(0.0, MOST),
        deterministic=deterministic,
    )


def growth_of_sums(rounds: float | Array, norms: Array, axis: int) -> Array:
    """What ``loop_gain`` estimates, without an interval: ``(sum last / sum first)^(1/rounds)``.

    ``norms``: [..., n, ..., 2], first and last of each run, with the runs along ``axis``, which is
    summed away; the result has the other axes but the last, and ``rounds`` may differ along them.
    0 where nothing is left at first, and 2 at most. Source and caveat: as of ``loop_gain``.
    """
    total = norms.sum(axis)
    first, last = total[..., 0], total[..., 1]
    ratio = np.where(first > 0, last / np.where(first > 0, first, 1.0), 0.0)
    grown: Array = np.minimum(ratio ** (1 / rounds), MOST)
    return grown
