"""Two tabular Q-learners that remember the last period, played until neither changes its mind."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from freezetag.core.arrays import Array
from freezetag.core.errors import UserError
from freezetag.estimators._cores import cores

_BLOCK = 8192  # periods whose random numbers are drawn at once: they stay in the cache


@dataclass(frozen=True)
class QPair:
    """How n sessions ended. A state is (own last action, the other's last action)."""

    values: Array  # [n, 2, K, K, K] float64: what each action is worth after each state
    last: Array  # [n, 2] actions of the last period
    periods: Array  # [n] played, the quiet ones at the end included
    converged: Array  # [n] bool; False: not within the periods that were allowed

    @property
    def strategies(self) -> Array:
        """[n, 2, K, K] the best action after each state, the first of equals."""
        best: Array = self.values.argmax(-1)
        return best


def q_pair(
    payoffs: Array,
    *,
    alpha: float = 0.15,
    beta: float = 4e-6,
    delta: float = 0.95,
    sessions: int = 1,
    seed: int = 0,
    still: int = 100_000,
    most: int = 20_000_000,
    compiled: bool | None = None,
) -> QPair:
    """Sessions of two Q-learners in a repeated game, each until no best action of either, after
    any state, has changed for ``still`` periods, or for ``most`` periods.

    ``payoffs``: [2, K, K], of each player by its own action and the other's. A player starts from
    ``Q(s, a)`` = the mean payoff of a against an even mixture of the other's actions, over
    ``1 - delta``, in a state drawn evenly. In period t it explores, evenly over all actions, with
    chance ``exp(-beta t)``, else it takes the best, the first of equals. Then both do
    ``Q(s, a) += alpha (payoff + delta max Q(s', .) - Q(s, a))`` at once.
    Session i depends on ``seed`` and i alone. ``compiled``: None takes numba where it is installed
    (`freezetag[fast]`), True insists, False never; without it the same loop takes some 500 times
    as long.
    Source: Calvano et al. 2020, whose baseline the defaults are; they allow a billion periods.
    Raises ``ValueError`` for payoffs that are not finite or of another shape, and numbers out of
    range; ``UserError`` where numba is asked for and missing.
    Caveat: what sessions end at depends on alpha, beta and the start; that both have stopped
    changing does not make their strategies best answers to each other.
    """
    pay = np.ascontiguousarray(payoffs, dtype=np.float64)
    if pay.ndim != 3 or pay.shape[0] != 2 or pay.shape[1] != pay.shape[2] or pay.shape[1] < 2:
        raise ValueError(f"payoffs must have the shape [2, K, K] with K >= 2, got {pay.shape}.")
    if not np.isfinite(pay).all():
        raise ValueError("payoffs must be finite numbers.")
    if not (0 < alpha <= 1 and 0 <= delta < 1 and beta > 0):
        raise ValueError(
            "a Q-learner needs 0 < alpha <= 1, beta > 0 and 0 <= delta < 1, "
            f"got {alpha!r}, {beta!r} and {delta!r}."
        )
    if sessions < 1 or still < 1 or most < 1:
        raise ValueError(
            f"sessions, still and most are at least 1, got {sessions}, {still} and {most}."
        )
    loop = _play if compiled is False else _compiled()
    if loop is None:
        if compiled:
            raise UserError("numba is not installed. `pip install 'freezetag[fast]'` brings it.")
        loop = _play
    seeds = [np.random.SeedSequence([seed, session]) for session in range(sessions)]
    numbers = (float(alpha), math.exp(-beta), float(delta), still, most)

    def one(own: np.random.SeedSequence) -> tuple[Array, Array, int, bool]:
        return _session(loop, pay, np.random.Generator(np.random.SFC64(own)), *numbers)

    if loop is _play:
        found = [one(own) for own in seeds]
    else:  # numba lets go of the lock
        with ThreadPoolExecutor(cores()) as pool:
            found = list(pool.map(one, seeds))
    values, last, periods, converged = zip(*found, strict=True)
    return QPair(np.stack(values), np.stack(last), np.asarray(periods), np.asarray(converged))


def played_on(pair: QPair, steps: int, *, cut: int | None = None, by: int = 0) -> Array:
    """[n, steps, 2] the actions of the next periods, without learning or exploring. With ``cut``
    player ``by`` takes that action in the first of them, whatever it wants."""
    n = np.arange(len(pair.last))
    strategies, last = pair.strategies, pair.last
    path = np.empty((len(n), steps, 2), np.int64)
    for t in range(steps):
        one, two = last.T
        now = np.stack([strategies[n, 0, one, two], strategies[n, 1, two, one]], axis=1)
        if t == 0 and cut is not None:
            now[:, by] = cut
        path[:, t] = last = now
    return path


def mean_payoffs(pair: QPair, payoffs: Array) -> Array:
    """[n, 2] the mean payoff of each player on the cycle in which the greedy strategies end."""
    pay, k = np.asarray(payoffs, np.float64), pair.values.shape[-1]
    path = played_on(pair, 2 * k * k)  # by the half of it every session is on its cycle
    code = path[:, :, 0] * k + path[:, :, 1]
    later = code[:, k * k - 1 :]
    length = (later[:, 1:] == later[:, :1]).argmax(1) + 1
    on = np.arange(path.shape[1])[None] - (k * k - 1)
    part = ((on >= 0) & (on < length[:, None]))[:, :, None]
    got = np.stack(
        [pay[0, path[:, :, 0], path[:, :, 1]], pay[1, path[:, :, 1], path[:, :, 0]]], axis=-1
    )
    mean: Array = (got * part).sum(1) / length[:, None]
    return mean


def _session(
    loop: Callable[..., Any],
    pay: Array,
    rng: np.random.Generator,
    alpha: float,
    decay: float,
    delta: float,
    still: int,
    most: int,
) -> tuple[Array, Array, int, bool]:
    """(values, last actions, periods, whether it converged) of one session."""
    k = pay.shape[1]
    first = pay.mean(2) / (1 - delta)  # [2, K]
    values = np.ascontiguousarray(np.broadcast_to(first[:, None], (2, k * k, k)))
    best, greedy = values.max(-1), values.argmax(-1)
    # the last actions, quiet periods, periods; the chance to explore
    book, explores = np.zeros(4, np.int64), np.ones(1)
    book[:2] = rng.integers(0, k, 2)
    draws = np.empty((_BLOCK, 2))
    while book[2] < still and book[3] < most:
        rng.random(out=draws)
        loop(pay, values, best, greedy, book, explores, draws, alpha, decay, delta, still, most)
    return values.reshape(2, k, k, k), book[:2].copy(), int(book[3]), bool(book[2] >= still)


def _play(
    pay: Any,
    values: Any,
    best: Any,
    greedy: Any,
    book: Any,
    explores: Any,
    draws: Any,
    alpha: float,
    decay: float,
    delta: float,
    still: int,
    most: int,
) -> None:
    """Periods until the draws are used up, nothing has changed for `still`, or `most` are over.

    values [2, K K, K], best and greedy [2, K K] its largest and where that is. Plain Python for
    numba to compile.
    """
    k = pay.shape[1]
    one, two, quiet, periods = book[0], book[1], book[2], book[3]
    chance = explores[0]
    for t in range(draws.shape[0]):
        if quiet >= still or periods >= most:
            break
        s0, s1 = one * k + two, two * k + one
        a0, a1 = greedy[0, s0], greedy[1, s1]
        # Below the chance a draw is even again: it chooses the action too.
        if draws[t, 0] < chance:
            a0 = min(int(draws[t, 0] / chance * k), k - 1)
        if draws[t, 1] < chance:
            a1 = min(int(draws[t, 1] / chance * k), k - 1)
        changed = False
        for i in range(2):
            s, a, b = (s0, a0, a1) if i == 0 else (s1, a1, a0)
            target = pay[i, a, b] + delta * best[i, a * k + b]
            new = values[i, s, a] + alpha * (target - values[i, s, a])
            values[i, s, a] = new
            top = greedy[i, s]
            if a == top:
                if new >= best[i, s]:
                    # An equal before it would be first already.
                    best[i, s] = new
                else:
                    at = 0
                    for j in range(1, k):
                        if values[i, s, j] > values[i, s, at]:
                            at = j
                    best[i, s] = values[i, s, at]
                    greedy[i, s] = at
                    changed = changed or at != top
            elif new > best[i, s] or (new == best[i, s] and a < top):
                best[i, s] = new
                greedy[i, s] = a
                changed = True
        one, two = a0, a1
        quiet = 0 if changed else quiet + 1
        periods += 1
        chance *= decay
    book[0], book[1], book[2], book[3] = one, two, quiet, periods
    explores[0] = chance


@cache
def _compiled() -> Callable[..., Any] | None:
    """The loop, compiled at its first call; None where numba is missing."""
    try:
        numba = importlib.import_module("numba")
    except ImportError:
        return None
    try:
        found: Callable[..., Any] = numba.njit(nogil=True, cache=True)(_play)
    except RuntimeError:  # no folder to cache in
        found = numba.njit(nogil=True)(_play)
    return found
