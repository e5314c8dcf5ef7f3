"""Two memory-one strategies: the long run, solved exactly, for all pairs at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from freezetag.core.arrays import Array

PAYOFFS = (3.0, 0.0, 5.0, 1.0)
"""R, S, T, P: own payoff after CC, CD, DC, DD, own move first."""

SWAP = (0, 2, 1, 3)
"""The same four outcomes as the other player names them."""

ALL_C = (1.0, 1.0, 1.0, 1.0)
ALL_D = (0.0, 0.0, 0.0, 0.0)
TIT_FOR_TAT = (1.0, 0.0, 1.0, 0.0)
WIN_STAY_LOSE_SHIFT = (1.0, 0.0, 0.0, 1.0)
GRIM = (1.0, 0.0, 0.0, 0.0)
GENEROUS_TIT_FOR_TAT = (1.0, 1 / 3, 1.0, 1 / 3)
"""Generosity min(1-(T-R)/(R-S), (R-P)/(T-P)) = 1/3 at 5,3,1,0 (Nowak & Sigmund 1992)."""


def transition(p: Array, q: Array, noise: float = 0.0) -> Array:
    """The chain M [..., 4, 4] over CC, CD, DC, DD of strategy p against q (both [..., 4]).

    Entries are the chance to cooperate after each outcome, own move first; each executed move is
    flipped with chance ``noise``, and players see what was executed. p and q broadcast.
    Raises ValueError if an entry is not a probability (NaN included).
    """
    p, q = np.broadcast_arrays(_checked(p, noise), _checked(q, noise)[..., SWAP])
    return _outcomes(p, q, noise)


def start(first: Array = 1.0, other_first: Array = 1.0, noise: float = 0.0) -> Array:
    """Law [..., 4] of the first round, from both chances to cooperate in it."""
    a, b = np.broadcast_arrays(_checked(first, noise), _checked(other_first, noise))
    return _outcomes(a, b, noise)


def _outcomes(p: Array, q: Array, noise: float) -> Array:
    """Chances [..., 4] of CC, CD, DC, DD; executed ``(1 - eps) p + eps (1 - p)``.

    Both moves are flipped, not one subtracted from 1, so that a small noise keeps its digits.
    """
    if noise:
        c, d = p + noise * (1 - 2 * p), (1 - p) + noise * (2 * p - 1)
        e, f = q + noise * (1 - 2 * q), (1 - q) + noise * (2 * q - 1)
    else:
        c, d, e, f = p, 1 - p, q, 1 - q
    return np.stack([c * e, c * f, d * e, d * f], axis=-1)


def _checked(p: Array, noise: float) -> Array:
    p = np.asarray(p, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all() or not 0 <= noise <= 1:
        raise ValueError(
            f"Chances to cooperate lie in 0..1, and so does the noise; got {p.tolist()} "
            f"and noise {noise!r}."
        )
    return p


def long_run_law(chain: Array, initial: Array) -> Array:
    """Share of time [..., 4] in each outcome, in the long run from ``initial`` [..., 4].

    The Cesaro limit ``lim 1/T sum_t initial M^t``: it exists for every chain, periodic or with
    several closed classes, where it depends on the start. By the matrix forest theorem it is
    ``sum_F w(F) [i in the tree of j] / sum_F w(F)`` over the spanning forests F with the fewest
    roots that have weight, w(F) the product of the transitions along F's edges: sums of products
    of non-negative numbers only, so every entry is accurate, however small the noise.
    Source: Chebotarev & Agaev 2002; with one root, the Markov chain tree theorem.
    """
    m = np.asarray(chain, dtype=np.float64)
    mu = np.broadcast_to(np.asarray(initial, dtype=np.float64), m.shape[:-1])
    shape = mu.shape
    w = np.ascontiguousarray(m.reshape(-1, 16).T).reshape(4, 4, -1)
    law = np.stack([_trees(w, root) for root in range(4)])
    total = law.sum(axis=0)
    for roots in (2, 3, 4):
        several = np.flatnonzero(total == 0)
        if not len(several):
            break
        part = _forests_law(w[:, :, several], mu.reshape(-1, 4).T[:, several], roots)
        law[:, several], total[several] = part, part.sum(axis=0)
    return (law / total).T.reshape(shape)


def _trees(w: Array, root: int) -> Array:
    """Weight of the 16 spanning trees into ``root``, collected into 13 products."""
    a, b, c = (state for state in range(4) if state != root)
    ra, rb, rc = w[a, root], w[b, root], w[c, root]
    ab, ac, ba, bc, ca, cb = w[a, b], w[a, c], w[b, a], w[b, c], w[c, a], w[c, b]
    one = ra * (ba * (ca + cb) + bc * ca) + rb * (ab * (ca + cb) + ac * cb)
    two = ra * (rb * (rc + ca + cb) + rc * (ba + bc)) + rb * rc * (ab + ac)
    return one + two + rc * (ac * (ba + bc) + ab * bc)


def _forests_law(w: Array, mu: Array, roots: int) -> Array:
    """The same with several roots, each state's start mass going where the forest leads it."""
    if roots == 4:
        return mu.copy()
    law, total = np.zeros_like(mu), np.zeros(mu.shape[1])
    for chosen in itertools.combinations(range(4), roots):
        rest = [state for state in range(4) if state not in chosen]
        out = {state: sum(w[state, r] for r in chosen) for state in rest}
        if roots == 3:
            (a,) = rest
            weight, leads = out[a], {a: [w[a, r] for r in chosen]}
        else:  # a may lead through b, or b through a
            a, b = rest
            via_a, via_b = out[a] + w[a, b], out[b] + w[b, a]
            weight = out[a] * via_b + w[a, b] * out[b]
            leads = {
                a: [w[a, r] * via_b + w[a, b] * w[b, r] for r in chosen],
                b: [w[b, r] * via_a + w[b, a] * w[a, r] for r in chosen],
            }
        total += weight
        for place, r in enumerate(chosen):
            law[r] += mu[r] * weight + sum(mu[s] * leads[s][place] for s in rest)
    return np.asarray(np.divide(law, total, out=np.zeros_like(law), where=total > 0))


def long_run_payoffs(
    p: Array,
    q: Array,
    *,
    noise: float = 0.0,
    first: Array = 1.0,
    other_first: Array = 1.0,
    payoffs: Sequence[float] = PAYOFFS,
) -> tuple[Array, Array]:
    """Mean payoffs a round, of p and of q, over an endless match (Cesaro limit)."""
    law = long_run_law(transition(p, q, noise), start(first, other_first, noise))
    own = np.asarray(payoffs, dtype=np.float64)
    return law @ own, law @ own[list(SWAP)]


def payoff_matrix(
    strategies: Array,
    *,
    noise: float = 0.0,
    first: Array = 1.0,
    payoffs: Sequence[float] = PAYOFFS,
) -> Array:
    """Long-run payoff [n, n] of each row strategy against each column one; ``strategies`` [n, 4].

    Each unordered pair is solved once and read from both sides.
    """
    s = np.asarray(strategies, dtype=np.float64)
    opening = np.broadcast_to(np.asarray(first, dtype=np.float64), s.shape[:1])
    i, j = np.triu_indices(len(s))
    row, column = long_run_payoffs(
        s[i], s[j], noise=noise, first=opening[i], other_first=opening[j], payoffs=payoffs
    )
    matrix = np.empty((len(s), len(s)))
    matrix[j, i] = column
    matrix[i, j] = row
    return matrix


def discounted_payoffs(
    p: Array,
    q: Array,
    gamma: float,
    *,
    noise: float = 0.0,
    first: Array = 1.0,
    other_first: Array = 1.0,
    payoffs: Sequence[float] = PAYOFFS,
) -> tuple[Array, Array]:
    """Values ``mu0 (I - gamma M)^-1 R``, of p and of q: an unnormalised discounted sum.

    Multiply by ``1 - gamma`` for the mean payoff a round. Raises ValueError unless 0 <= gamma < 1.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must lie in 0 <= gamma < 1, not {gamma!r}.")
    chain, mu = transition(p, q, noise), start(first, other_first, noise)
    own = np.asarray(payoffs, dtype=np.float64)
    both = np.stack([own, own[list(SWAP)]], axis=-1)
    solved = np.linalg.solve(
        np.eye(4) - gamma * chain, np.broadcast_to(both, (*chain.shape[:-1], 2))
    )
    value = np.einsum("...s,...sk->...k", mu, solved)
    return value[..., 0], value[..., 1]


def finite_payoffs(
    p: Array,
    q: Array,
    rounds: int,
    *,
    noise: float = 0.0,
    first: Array = 1.0,
    other_first: Array = 1.0,
    payoffs: Sequence[float] = PAYOFFS,
) -> tuple[Array, Array]:
    """Expected mean payoffs a round over exactly ``rounds`` rounds, of p and of q."""
    if rounds < 1:
        raise ValueError(f"A match has at least one round, not {rounds!r}.")
    chain, mu = transition(p, q, noise), start(first, other_first, noise)
    mu = np.broadcast_to(mu, chain.shape[:-1])
    total = np.zeros(chain.shape[:-1])
    for _ in range(rounds):
        total = total + mu
        mu = np.einsum("...s,...st->...t", mu, chain)
    own = np.asarray(payoffs, dtype=np.float64)
    return total @ own / rounds, total @ own[list(SWAP)] / rounds


def first_passage(chain: Array, target: Sequence[int]) -> Array:
    """Expected rounds [..., S] until a state of ``target`` is met, from each state; 0 inside it.

    ``t = (I - M_aa)^-1 1`` over the states outside; infinite where the target may never be met.
    ``chain``: [..., S, S].
    """
    m = np.asarray(chain, dtype=np.float64)
    size = m.shape[-1]
    if not target or not all(0 <= s < size for s in target):
        raise ValueError(f"target must name states in 0..{size - 1}, got {list(target)}.")
    inside = np.isin(np.arange(size), list(target))
    flat = m.reshape(-1, size, size)
    found = np.stack([_passage(one, inside) for one in flat])
    return found.reshape(m.shape[:-1])


def _passage(m: Array, inside: Array) -> Array:
    reach = inside | (_closure(m > 0)[:, inside]).any(axis=1)
    lost = _closure((m > 0) & ~inside[:, None]) @ ~reach  # may meet a state that never arrives
    sure = reach & ~lost & ~inside
    steps = np.where(inside, 0.0, np.inf)
    if sure.any():
        a = m[np.ix_(sure, sure)]
        steps[sure] = np.linalg.solve(np.eye(len(a)) - a, np.ones(len(a)))
    return steps


def _closure(edges: Array) -> Array:
    reach = edges | np.eye(len(edges), dtype=bool)
    for k in range(len(edges)):
        reach = reach | (reach[:, k : k + 1] & reach[k])
    return reach
