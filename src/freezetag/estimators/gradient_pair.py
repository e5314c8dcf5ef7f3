"""Two gradient learners in an endless game of two moves: exact values, exact slopes, no samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from freezetag.core.arrays import Array

PRISONERS = (-1.0, -3.0, 0.0, -2.0)
"""R, S, T, P of Foerster et al. 2018: own payoff after CC, CD, DC, DD, own move first."""

_SWAP = (0, 1, 3, 2, 4)  # start, CC, CD, DC, DD as the other names them
_TOGETHER = np.array([1.0, -1.0, -1.0, 1.0])  # d2 of (pq, p(1-q), (1-p)q, (1-p)(1-q)) / dp dq


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
    own = np.asarray(payoffs, dtype=np.float64)
    thetas = np.empty((steps + 1, *theta.shape))
    thetas[0] = theta
    for t in range(steps):
        slope = [
            _slope(theta[:, i], theta[:, 1 - i, _SWAP], foresight[i], gamma, own) for i in (0, 1)
        ]
        thetas[t + 1] = theta = theta + rate * np.stack(slope, axis=1)
    flat = thetas.reshape(-1, 2, 5)
    value = [_value(flat[:, i], flat[:, 1 - i, _SWAP], gamma, own).own for i in (0, 1)]
    mean = (1 - gamma) * np.stack(value, axis=-1)
    return GradientPair(thetas, mean.reshape(thetas.shape[:-1]))


class _Value(NamedTuple):
    """Of the player with chances p against q, all in its own order of states."""

    own: Array  # [n]
    to_p: Array  # [n, 5], of the own value
    to_q: Array  # [n, 5], of the own value
    other_to_q: Array  # [n, 5], of the other's value
    other_to_both: Array  # [n, 5, 5], of the other's value: d2 / dp_s dq_u


def _slope(theta: Array, phi: Array, eta: float, gamma: float, own: Array) -> Array:
    """[n, 5] of the own value by theta, through a step ``eta`` of the other."""
    bend, give = _bend(theta), _bend(phi)
    here = _value(theta, phi, gamma, own)
    if not eta:
        return bend * here.to_p
    later = phi + eta * give * here.other_to_q
    there = _value(theta, later, gamma, own)
    through = eta * give * _bend(later) * there.to_q
    return bend * (there.to_p + np.einsum("nsu,nu->ns", here.other_to_both, through))


def _bend(logits: Array) -> Array:
    chance = special.expit(logits)
    return np.asarray(chance * (1 - chance))


def _value(theta: Array, phi: Array, gamma: float, own: Array) -> _Value:
    """By the states (start, CC, CD, DC, DD), of which four are what happened last."""
    p, q = (np.asarray(special.expit(logits)) for logits in (theta, phi))
    a, b, c, d = p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)
    step = np.stack([a, b, c, d], axis=-1)  # [n, 5, 4]
    by_p = np.stack([q, 1 - q, -q, q - 1], axis=-1)
    by_q = np.stack([p, -p, 1 - p, p - 1], axis=-1)
    chain = np.concatenate([np.zeros((len(p), 5, 1)), step], axis=-1)
    visits = np.linalg.inv(np.eye(5) - gamma * chain)  # [n, 5, 5], from, to
    both = np.stack([own, own[[0, 2, 1, 3]]], axis=-1)  # [4, 2] own, other's
    values = visits @ (step @ both)  # [n, 5, 2]
    onward = both + gamma * values[:, 1:]  # [n, 4, 2]
    often = visits[:, 0]  # [n, 5] from the start
    gain_p, gain_q = by_p @ onward, by_q @ onward  # [n, 5, 2]
    # How often u is met changes with p_s; and what q_u is worth there, by what follows.
    meets = gamma * often[:, :, None] * (by_p @ visits[:, 1:])
    worth = gamma * (by_q @ visits[:, 1:]).swapaxes(1, 2) * gain_p[:, :, None, 1]
    here = np.eye(5) * (onward[:, :, 1] @ _TOGETHER)[:, None, None]
    mixed = meets * gain_q[:, None, :, 1] + often[:, None, :] * (worth + here)
    to_q = often[:, :, None] * gain_q
    return _Value(values[:, 0, 0], often * gain_p[:, :, 0], to_q[:, :, 0], to_q[:, :, 1], mixed)
