"""What two memory-one players earn of each other in the long run, and from what it is estimated.

States are CC, CD, DC, DD in that order, the own move first, for both players' chances: `other[1]`
is the other's chance of a C after *I* cooperated and it defected.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs
from freezetag.players._moves import opening, other_c, own_c, uniform

_Row = tuple[Array, Array, Array]
_STEPS = np.eye(5, 4, -1, dtype=np.float32)


def long_run(own: Array, other: Array) -> Array:
    """[..., 4] weights of the states, proportional to the share of time spent in each.

    Given both players' chances of a C [..., 4], inside (0, 1). The weights are the cofactors of
    the last column in Press and Dyson, PNAS 109 (2012) 10409, eq. 2. Each is affine in every
    single chance: `slopes` rests on that.
    """
    p, q = ([chances[..., state] for state in range(4)] for chances in (own, other))
    a, b, c, d = (
        (p[0] * q[0] - 1, p[0] - 1, q[0] - 1),
        (p[1] * q[1], p[1] - 1, q[1]),
        (p[2] * q[2], p[2], q[2] - 1),
        (p[3] * q[3], p[3], q[3]),
    )
    minors = (_minor(b, c, d), -_minor(a, c, d), _minor(a, b, d), -_minor(a, b, c))
    return jnp.stack(minors, axis=-1)


def _minor(a: _Row, b: _Row, c: _Row) -> Array:
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def slopes(own: Array, other: Array, mine: Array, theirs: Array) -> tuple[Array, Array, Array]:
    """(dV/dp [4], dV/dq [4], d2W/dp dq [4, 4]): p own chances, q the other's, V and W the long-run
    payoffs of both, given the payoffs in each state, `mine` and `theirs` [4].

    Exact: V = N/D and W = M/D, where N, M and D are affine in each p and in each q, so that a
    difference over a step of 1 is the derivative. Cheaper to compile than differentiating.
    """
    weights = long_run(own + _STEPS[:, None], other + _STEPS[None, :])
    n, m, d = (_derivatives(w) for w in (weights @ mine, weights @ theirs, weights.sum(-1)))
    v_p, v_q = ((n[i] - n[0] / d[0] * d[i]) / d[0] for i in (1, 2))
    w = m[0] / d[0]
    w_p, w_q = ((m[i] - w * d[i]) / d[0] for i in (1, 2))
    w_pq = (m[3] - jnp.outer(w_p, d[2]) - jnp.outer(d[1], w_q) - w * d[3]) / d[0]
    return v_p, v_q, w_pq


def _derivatives(f: Array) -> tuple[Array, Array, Array, Array]:
    """(f, df/dp [4], df/dq [4], d2f/dp dq [4, 4]) of f [5, 5] on the steps of p and of q."""
    p, q = f[1:, 0] - f[0, 0], f[0, 1:] - f[0, 0]
    return f[0, 0], p, q, f[1:, 1:] - f[0, 0] - p[:, None] - q[None, :]


class Seen(NamedTuple):
    """What a player saw: all [4] by state.

    answers   times the others then cooperated      asked   times they were seen to answer
    earned    own reward in the state               theirs  the others' mean reward in it
    met       times in the state                    last    1 in the last state, else 0
    """

    answers: Array
    asked: Array
    earned: Array
    theirs: Array
    met: Array
    last: Array


def first_guess(key: Array) -> Array:
    """[5] logits of the first chances of a C (start, CC, CD, DC, DD), from N(0, 1)."""
    draw = uniform(key, jnp.arange(10))
    return jnp.sqrt(-2 * jnp.log1p(-draw[:5])) * jnp.cos(2 * jnp.pi * draw[5:])


def nothing_seen() -> Seen:
    zero = jnp.zeros(4, jnp.float32)
    return Seen(zero, zero, zero, zero, zero, jnp.zeros(4, jnp.float32))


def look(seen: Seen, obs: Obs) -> Seen:
    """What was seen, after one more observation; nothing is learned from an opening."""
    mine, theirs = own_c(obs), other_c(obs)
    now = jnp.stack(
        [mine * theirs, mine * (1 - theirs), (1 - mine) * theirs, (1 - mine) * (1 - theirs)]
    ) * (1 - opening(obs))
    last = seen.last * (1 - opening(obs))
    count = jnp.maximum(obs.seen.sum(), 1)
    return Seen(
        seen.answers + last * theirs,
        seen.asked + last,
        seen.earned + now * obs.own_reward,
        seen.theirs + now * (obs.others_rewards * obs.seen).sum() / count,
        seen.met + now,
        now,
    )


def estimates(seen: Seen) -> tuple[Array, Array, Array]:
    """(others' chances of a C, own payoffs, others' payoffs), each [4].

    Chances by Laplace's rule; payoffs are mean rewards, drawn towards the overall mean by one
    imagined visit, and both divided by the spread of the own ones.
    """
    chances = (seen.answers + 1) / (seen.asked + 2)
    visits = jnp.maximum(seen.met.sum(), 1)
    own = (seen.earned + seen.earned.sum() / visits) / (seen.met + 1)
    other = (seen.theirs + seen.theirs.sum() / visits) / (seen.met + 1)
    spread = own.max() - own.min()
    spread = jnp.where(spread > 0, spread, 1.0)
    return chances, own / spread, other / spread
