"""Two gradient learners in an endless game of two moves: exact values, exact slopes, no samples."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special

from freezetag.core.arrays import Array
from freezetag.estimators._cores import cores

PRISONERS = (-1.0, -3.0, 0.0, -2.0)
"""R, S, T, P of Foerster et al. 2018: own payoff after CC, CD, DC, DD, own move first."""

_RUNS = 256  # of a thread at once: below it NumPy's calls cost more than what they compute
_SWAP = [0, 1, 3, 2, 4]  # start, CC, CD, DC, DD as the other names them
_AS_OTHER = [0, 2, 1, 3]  # CC, CD, DC, DD as the other names them


@dataclass(frozen=True)
class GradientPair:
    """Every policy of n runs; row t is the one after t steps, row 0 the start."""

    thetas: Array  # [T+1, n, 2, 5], logits of a C at the start and after CC, CD, DC, DD, own first
    payoffs: Array  # [T+1, n, 2], (1 - gamma) times the discounted sum: utility a round


def gradient_pair(
    start: Array,
    *,
    steps: int = 200,
    rate: float = 1.0,
    eta: float | tuple[float, float] = 0.0,
    gamma: float = 0.96,
    payoffs: Sequence[float] = PRISONERS,
) -> GradientPair:
    """Both climb ``V_i = mu (I - gamma M)^-1 R_i``, the unnormalised discounted sum, at once.

    Chances of a C are sigmoid(theta); ``start``: [n, 2, 5] logits, each player's own move first.
    A player with ``eta`` 0 is naive: ``theta_1 += rate dV_1/dtheta_1``. With ``eta`` > 0 it is
    LOLA, which differentiates through a step of the other: ``theta_1 += rate d/dtheta_1
    V_1(theta_1, theta_2 + eta dV_2/dtheta_2)``. A pair of numbers gives each player its own.
    Slopes are closed forms, by the visits ``(I - gamma M)^-1`` of each state.
    Source: Foerster et al. 2018. Raises ValueError unless 0 <= gamma < 1 and start is [n, 2, 5].
    Caveat: each is told the other's chances and payoffs, which no real learner is; and with eta
    on one side only the end depends on the size of a step.
    """
    theta = np.array(start, dtype=np.float64)
    if theta.ndim != 3 or theta.shape[1:] != (2, 5):
        raise ValueError(f"start must have the shape [n, 2, 5], got {theta.shape}.")
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must lie in 0 <= gamma < 1, not {gamma!r}.")
    foresight = (eta, eta) if isinstance(eta, int | float) else eta
    climb = partial(_climb, steps, rate, foresight, gamma, np.asarray(payoffs, np.float64))
    # Runs know nothing of each other, and NumPy lets go of the lock while it computes.
    parts = np.array_split(theta, max(1, len(theta) // _RUNS))
    with ThreadPoolExecutor(min(len(parts), cores())) as pool:
        thetas, means = zip(*pool.map(climb, parts), strict=True)
    return GradientPair(np.concatenate(thetas, axis=1), np.concatenate(means, axis=1))


def _climb(
    steps: int,
    rate: float,
    foresight: tuple[float, float],
    gamma: float,
    own: Array,
    theta: Array,
) -> tuple[Array, Array]:
    """(thetas, payoffs) of some of the runs."""
    n = len(theta)
    each = np.repeat(np.asarray(foresight, np.float64), n)  # [2n]
    # Runs come last: NumPy's loops then go over them and not over five or four numbers.
    both = np.ascontiguousarray(theta.transpose(2, 1, 0)).reshape(5, 2 * n)  # player by player
    path, worth = np.empty((steps + 1, 5, 2 * n)), np.empty((steps + 1, 2 * n))
    for t in range(steps + 1):
        path[t] = both
        other = np.roll(both, n, axis=1)[_SWAP]
        here = _value(both, other, gamma, own)
        worth[t] = here.own
        if t < steps:
            both = both + rate * _slope(both, other, here, each, gamma, own)
    thetas = path.reshape(steps + 1, 5, 2, n).transpose(0, 3, 2, 1)
    mean: Array = (1 - gamma) * worth.reshape(steps + 1, 2, n).transpose(0, 2, 1)
    return thetas, mean


class _Value(NamedTuple):
    """Of players with chances p against q, all in the player's own order of states; [.., 2, m] is
    the own, then the other's."""

    q: Array  # [5, m]
    p: Array  # [5, m]
    visits: Array  # [4, 4, m], from, to
    onward: Array  # [4, 2, m], what follows after CC, CD, DC and DD, with what they pay
    often: Array  # [5, m], how often each state is met from the start
    gain_p: Array  # [5, 2, m] of a chance, each time that its state is met
    gain_q: Array  # [5, 2, m]
    own: Array  # [m]


def _slope(theta: Array, phi: Array, here: _Value, eta: Array, gamma: float, own: Array) -> Array:
    """[5, m] of the own value by theta, through a step ``eta`` [m] of the other."""
    bend = _bend(theta)
    if not eta.any():
        return bend * (here.often * here.gain_p[:, 0])
    give = _bend(phi)
    later = phi + eta * give * here.often * here.gain_q[:, 1]
    there = _value(theta, later, gamma, own)
    through = eta * give * _bend(later) * there.often * there.gain_q[:, 0]
    slope: Array = bend * (there.often * there.gain_p[:, 0] + _mixed(here, through, gamma))
    return slope


def _mixed(of: _Value, through: Array, gamma: float) -> Array:
    """[5, m] the sum over u of d2 / dp_s dq_u of the other's value, times ``through``[u]."""
    often = of.often
    # How often u is met changes with p_s, and a change of q_u is worth its gain there.
    met = of.gain_q[:, 1] * through
    first = gamma * often * _by(of.q, np.einsum("stm,tm->sm", of.visits, met[1:]))
    # How often s is met changes with q_u, and a change of p_s is worth its gain there.
    weight = often * through
    up, down = (of.p * weight).sum(0), ((1 - of.p) * weight).sum(0)
    reached = np.einsum("sm,stm->tm", np.stack([up, -up, down, -down]), of.visits)
    first[1:] += gamma * of.gain_p[1:, 1] * reached
    # Both in the same state.
    together = of.onward[0, 1] - of.onward[1, 1] - of.onward[2, 1] + of.onward[3, 1]
    found: Array = first + weight * together
    return found


def _bend(logits: Array) -> Array:
    chance = special.expit(logits)
    return np.asarray(chance * (1 - chance))


def _value(theta: Array, phi: Array, gamma: float, own: Array) -> _Value:
    """By the states (start, CC, CD, DC, DD), of which four are what happened last. ``theta`` and
    ``phi``: [5, m]."""
    p, q = (np.asarray(special.expit(logits)) for logits in (theta, phi))
    step = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], axis=1)  # [5, 4, m]
    visits = _inverse(np.eye(4)[:, :, None] - gamma * step[1:])
    both = np.stack([own, own[[0, 2, 1, 3]]], axis=1)  # [4, 2] own, other's
    paid = np.einsum("sam,ak->skm", step[1:], both)  # [4, 2, m] at once
    onward = gamma * np.einsum("stm,tkm->skm", visits, paid)
    onward += both[:, :, None]
    often = np.empty_like(p)
    often[0] = 1.0
    np.einsum("am,atm->tm", gamma * step[0], visits, out=often[1:])
    gain_p, gain_q = _by(q, onward), _by(p, onward[_AS_OTHER])
    start = np.einsum("am,am->m", step[0], onward[:, 0])
    return _Value(q, p, visits, onward, often, gain_p, gain_q, start)


def _by(other: Array, after: Array) -> Array:
    """[5, ..., m] what a chance changes, the other's being ``other`` [5, m]: the mean of ``after``
    [4, ..., m] by the other's move after an own C, less that after an own D."""
    cc, cd, dc, dd = after
    chance = other.reshape(5, *(1,) * (after.ndim - 2), -1)
    change: Array = chance * (cc - cd - dc + dd) + (cd - dd)
    return change


def _inverse(matrix: Array) -> Array:
    """[4, 4, m] of ``matrix``, by Gauss and Jordan without a search for pivots: each diagonal of
    I - gamma M outweighs its row as long as gamma < 1. The inverse grows where the matrix was."""
    work = matrix.copy()
    for i in range(len(work)):
        column = work[:, i].copy()
        work[:, i] = 0.0
        work[i, i] = 1.0
        work[i] /= column[i]
        row = work[i].copy()
        column[i] = 0.0
        work -= column[:, None] * row
    return work
