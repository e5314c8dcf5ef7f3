"""What two memory-one players earn of each other in the long run, and from what it is estimated.

States are CC, CD, DC, DD in that order, the own move first, for both players' chances: `other[1]`
is the other's chance of a C after *I* cooperated and it defected.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs
from freezetag.players._moves import opening, other_c, own_c

_ROWS = (np.array([1, 0, 0, 0]), np.array([2, 2, 1, 1]), np.array([3, 3, 3, 2]))
_SIGNS = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
_BOTH = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
_OWN = np.array([1.0, 1.0, 0.0, 0.0], np.float32)
_OTHER = np.array([1.0, 0.0, 1.0, 0.0], np.float32)


def long_run(own: Array, other: Array) -> Array:
    """[4] share of time in each state, given both players' chances of a C [4], inside (0, 1).

    The stationary law of the chain, as the cofactors of the last column in Press and Dyson, PNAS
    109 (2012) 10409, eq. 2: no solver, so that it is cheap to differentiate inside a loop.
    """
    rows = jnp.stack([own * other - _BOTH, own - _OWN, other - _OTHER], axis=1)
    a, b, c = (rows[index] for index in _ROWS)
    weight = _SIGNS * (a * jnp.cross(b, c)).sum(1)
    return weight / weight.sum()


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
