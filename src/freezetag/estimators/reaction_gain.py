"""The gain of a loop of sellers, from the prices that they set: how each answers the others'."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate, nothing

MOST = 2.0
"""The range of a gain ends here, as in `loop_gain`."""
FEWEST = 4
"""Prices that each seller must have set, after others had: a line has two numbers."""


@dataclass(frozen=True)
class Reactions:
    """Answers of N sellers, cut to as many as the one with the fewest has: the last ones."""

    answers: Array  # [n, N] prices set
    met: Array  # [n, N] the others' mean price in force just before
    counts: Array  # [N] answers in the record
    beside: Array | None = None  # [N] how many prices that mean was over; None: all others'

    @property
    def slopes(self) -> Array:
        """[N] of a line through each seller's answers; NaN where what it met never changed."""
        return _slopes(self.answers[None] / self.met[None], 1 / self.met[None])[0]


def reactions(price: Array, sets: Array) -> Reactions:
    """Who set which price after which.

    ``price``: [T, N] in force after each time, NaN where a seller has none; ``sets``: [T, N] bool,
    it was stated anew then. Those who set a price at one time have not seen each other's. Sellers
    who never answered anybody are left out.
    """
    price, sets = np.asarray(price, np.float64), np.asarray(sets, bool)
    before = np.vstack([np.full((1, price.shape[1]), np.nan), price[:-1]])
    known = ~np.isnan(before)
    total, count = np.where(known, before, 0.0).sum(1, keepdims=True), known.sum(1, keepdims=True)
    others = count - known
    mean = (total - np.where(known, before, 0.0)) / np.where(others > 0, others, np.nan)
    usable = sets & ~np.isnan(mean) & ~np.isnan(price)
    counts = usable.sum(0)
    who = np.flatnonzero(counts)
    least = int(counts[who].min()) if len(who) else 0
    at = [np.flatnonzero(usable[:, i])[-least:] for i in who]
    answers, met = (
        np.stack([values[rows, i] for rows, i in zip(at, who, strict=True)], axis=1)
        if least
        else np.empty((0, len(who)))
        for values in (price, mean)
    )
    beside = np.array([others[rows, i].mean() for rows, i in zip(at, who, strict=True)])
    return Reactions(answers, met, counts, beside if least else None)


def reaction_gain(found: Reactions, *, level: float = 0.95) -> Estimate:
    """What is left of a disturbance after it has gone to the others and back, from a record.

    Each seller's price is taken as ``b m + c`` of the mean price m that it met, b and c by least
    squares of relative errors. The gain is the squared spectral radius of the matrix with
    ``b_i / M_i`` off its diagonal, M_i being how many prices seller i met in the mean: b_1 b_2 for
    two sellers. One who stands beside and never answers carries nothing on. Interval: BCa over
    blocks of ``n^(1/3)`` rounds in a row, since neighbours in time are not independent. Above 1 a
    disturbance grows for ever. A gain counts up to 2, as in ``loop_gain``.
    Caveat: what moves all prices at once (a cost, a season) looks like an answer; a seller who
    answers only some prices, or late, has a slope that is its mean. To pulse a price tells more.
    Source: Kuensch 1989 (blocks); Golub & Van Loan 2013, 7.3 (spectral radius); Efron 1987.

    >>> import numpy as np
    >>> price, sets = np.full((41, 2), np.nan), np.zeros((41, 2), bool)
    >>> price[0, 0] = 100.0
    >>> for t in range(1, 41):
    ...     price[t], sets[t, t % 2] = price[t - 1], True
    ...     price[t, t % 2] = round((1.270589 if t % 2 else 0.9983) * price[t - 1, 1 - t % 2], 2)
    >>> f"{reaction_gain(reactions(price, sets)).value:.4f}"
    '1.2684'
    """
    n, sellers = found.answers.shape
    if sellers < 2:
        return nothing("only one seller answers another: there is no loop", level)
    if n < FEWEST:
        return nothing(
            f"a seller has set {n} prices after others had, and a line takes {FEWEST}", level
        )
    if np.isnan(found.slopes).any():
        return nothing("a seller met one price alone, and no slope can be told", level)
    # Each unit is a block of rounds; a first one that is not whole is left out.
    long = math.ceil(n ** (1 / 3)) if n >= 2 * FEWEST else 1
    first = n % long
    both = np.stack([found.answers / found.met, 1 / found.met], axis=-1)[first:]
    units = both.reshape(n // long, long, sellers, 2)

    beside = np.full(sellers, sellers - 1.0) if found.beside is None else found.beside

    def gain(x: Array, axis: int) -> Array:
        flat = x.reshape(*x.shape[:axis], -1, sellers, 2)
        slope = _slopes(flat[..., 0], flat[..., 1])
        matrix = slope[..., :, None] * (1 - np.eye(sellers)) / beside[:, None]
        undefined = np.isnan(matrix).any((-2, -1))
        radius = np.abs(np.linalg.eigvals(np.nan_to_num(matrix))).max(-1)
        cut: Array = np.where(undefined, np.nan, np.minimum(radius**2, MOST))
        return cut

    of = bootstrap.statistic(units, gain, level=level, bounds=(0.0, MOST))
    return of.noted(f"blocks of {long} rounds") if long > 1 else of


def growth(found: Reactions, *, level: float = 0.95) -> Estimate:
    """The factor by which prices grow from one round to the next, geometric mean over sellers and
    rounds, with its interval over blocks of rounds as in `reaction_gain`; cut at ``MOST``."""
    n = len(found.answers) - 1
    if n < 1:
        return nothing("no seller has set two prices", level)
    ratio = np.diff(np.log(found.answers), axis=0).mean(1)
    long = math.ceil(n ** (1 / 3)) if n >= 2 * FEWEST else 1
    units = ratio[n % long :].reshape(n // long, long)

    def factor(x: Array, axis: int) -> Array:
        grown: Array = np.minimum(np.exp(x.mean(-1).mean(axis)), MOST)
        return grown

    of = bootstrap.statistic(units, factor, level=level, bounds=(0.0, MOST))
    return of.noted(f"blocks of {long} rounds") if long > 1 else of


def _slopes(y: Array, z: Array) -> Array:
    """[..., N] of y = b + c z, the b, over the axis before the last; NaN where z is constant."""
    my, mz = y.mean(-2), z.mean(-2)
    off = z - mz[..., None, :]
    spread = (off**2).sum(-2)
    flat = spread <= 1e-18 * y.shape[-2] * mz**2
    c = (off * y).sum(-2) / np.where(flat, 1.0, spread)
    found: Array = np.where(flat, np.nan, my - c * mz)
    return found
