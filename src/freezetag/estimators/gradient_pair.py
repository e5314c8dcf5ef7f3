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

_RUNS = 512  # of a thread at once: below it NumPy's calls cost more than what they compute
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
    on one side only the end depends on the size of a step. With eta 1 rounding decides where single
    runs go (a start moved by 1e-13 ends elsewhere, by more than 1e-9, in two of three after 200
    steps); the mean of many runs does not move.
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
    looks = bool(each.any())
    # Runs come last: NumPy's loops then go over them and not over five or four numbers.
    both = np.ascontiguousarray(theta.transpose(2, 1, 0)).reshape(5, 2 * n)  # player by player
    path, worth = np.empty((steps + 1, 5, 2 * n)), np.empty((steps + 1, 2 * n))
    pays = np.stack([own, own[_AS_OTHER]])
    for t in range(steps + 1):
        path[t] = both
        chance = special.expit(both)
        # The two see one chain of states: it is solved as the first names them.
        here = _seen_by_both(_value(chance[:, :n], chance[_SWAP, n:], gamma, pays))
        worth[t] = here.start[0]
        if t < steps:
            slope = here.often * here.gain_p[0]
            if looks:
                looking = _looking(chance, both, here, each, gamma, own)
                slope = np.where(each == 0, slope, looking)
            both = both + rate * chance * (1 - chance) * slope
    thetas = path.reshape(steps + 1, 5, 2, n).transpose(0, 3, 2, 1)
    mean: Array = (1 - gamma) * worth.reshape(steps + 1, 2, n).transpose(0, 2, 1)
    return thetas, mean


class _Value(NamedTuple):
    """Of players with chances p against q, all in the player's own order of states; K payoffs, of
    two the own, then the other's."""

    p: Array  # [5, m]
    q: Array  # [5, m]
    visits: Array  # [4, 4, m], from, to
    onward: Array  # [K, 4, m], what follows after CC, CD, DC and DD, with what they pay
    often: Array  # [5, m], how often each state is met from the start
    gain_p: Array  # [K, 5, m] of a chance, each time that its state is met
    gain_q: Array  # [K, 5, m]
    start: Array  # [K, m]


def _value(p: Array, q: Array, gamma: float, pays: Array) -> _Value:
    """By the states (start, CC, CD, DC, DD), of which four are what happened last. ``p`` and ``q``:
    [5, m]; ``pays``: [K, 4]."""
    step = np.empty((5, 4, p.shape[1]))
    np.multiply(p, q, out=step[:, 0])
    np.subtract(p, step[:, 0], out=step[:, 1])
    np.subtract(q, step[:, 0], out=step[:, 2])
    np.subtract(1 - p, step[:, 2], out=step[:, 3])
    visits = _inverse(step[1:], gamma)
    # Visits times what is paid in each state is all that follows, with what it pays.
    onward = np.stack([_from(visits, paid[:, None]) for paid in pays])
    often = np.empty_like(p)
    often[0] = 1.0
    np.multiply(gamma, _to(step[0], visits), out=often[1:])
    gain_p, gain_q = _by(q, onward), _by(p, onward[:, _AS_OTHER])
    return _Value(p, q, visits, onward, often, gain_p, gain_q, (step[0] * onward).sum(1))


def _seen_by_both(one: _Value) -> _Value:
    """[2m] what the first of two players sees, and then what the second does: the same in the order
    in which it names the states, with own and other's exchanged."""

    def joined(mine: Array, theirs: Array) -> Array:
        return np.concatenate([mine, theirs], axis=-1)

    swap = [s - 1 for s in _SWAP[1:]]
    return _Value(
        joined(one.p, one.q[_SWAP]),
        joined(one.q, one.p[_SWAP]),
        joined(one.visits, one.visits[swap][:, swap]),
        joined(one.onward, one.onward[::-1, swap]),
        joined(one.often, one.often[_SWAP]),
        joined(one.gain_p, one.gain_q[::-1, _SWAP]),
        joined(one.gain_q, one.gain_p[::-1, _SWAP]),
        joined(one.start, one.start[::-1]),
    )


def _looking(p: Array, both: Array, here: _Value, eta: Array, gamma: float, own: Array) -> Array:
    """[5, m] of the own value by the own chances, through a step ``eta`` [m] of the other."""
    n = both.shape[1] // 2
    other = np.concatenate([both[_SWAP, n:], both[_SWAP, :n]], axis=1)
    give = eta * here.q * (1 - here.q)
    later = special.expit(other + give * here.often * here.gain_q[1])
    there = _value(p, later, gamma, own[None])
    through = give * later * (1 - later) * there.often * there.gain_q[0]
    slope: Array = there.often * there.gain_p[0] + _mixed(here, through, gamma)
    return slope


def _mixed(of: _Value, through: Array, gamma: float) -> Array:
    """[5, m] the sum over u of d2 / dp_s dq_u of the other's value, times ``through``[u]."""
    # How often u is met changes with p_s, and a change of q_u is worth its gain there.
    met = of.gain_q[1] * through
    first = gamma * of.often * _by(of.q, _from(of.visits, met[1:]))
    # How often s is met changes with q_u, and a change of p_s is worth its gain there.
    weight = of.often * through
    up = (of.p * weight).sum(0)
    down = weight.sum(0) - up
    reached = _to(np.stack([up, -up, down, -down]), of.visits)
    first[1:] += gamma * of.gain_p[1, 1:] * reached
    # Both in the same state.
    cc, cd, dc, dd = of.onward[1]
    found: Array = first + weight * (cc - cd - dc + dd)
    return found


def _from(visits: Array, worth: Array) -> Array:
    """[4, m] what visits [4, 4, m] from each state meet of ``worth`` [4, m or 1]. (Term by term: of
    four terms NumPy's sums take several times as long.)"""
    found = visits[:, 0] * worth[0]
    for state in (1, 2, 3):
        found += visits[:, state] * worth[state]
    return found


def _to(first: Array, visits: Array) -> Array:
    """[4, m] visits of each state from where one is ``first`` [4, m]."""
    found = first[0] * visits[0]
    for state in (1, 2, 3):
        found += first[state] * visits[state]
    return found


def _by(other: Array, after: Array) -> Array:
    """[..., 5, m] what a chance changes, the other's being ``other`` [5, m]: the mean of ``after``
    [..., 4, m] by the other's move after an own C, less that after an own D."""
    cc, cd, dc, dd = (after[..., state, None, :] for state in range(4))
    against_d = cd - dd
    change: Array = other * (cc - dc - against_d) + against_d
    return change


def _inverse(moves: Array, gamma: float) -> Array:
    """[4, 4, m] of I - gamma ``moves``, by Gauss and Jordan without a search for pivots: each
    diagonal outweighs its row as long as gamma < 1. The inverse grows where the matrix was."""
    work = -gamma * moves
    for i in range(len(work)):
        work[i, i] += 1.0
    for i in range(len(work)):
        column = work[:, i].copy()
        work[:, i] = 0.0
        work[i, i] = 1.0
        work[i] /= column[i]
        for j in range(len(work)):
            if j != i:
                work[j] -= column[j] * work[i]
    return work
