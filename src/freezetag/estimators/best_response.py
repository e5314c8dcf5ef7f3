"""What a best response gains: normal-form games, and repeated games against finite automata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.memory_one import PAYOFFS, finite_payoffs, long_run_payoffs
from freezetag.estimators.memory_one import discounted_payoffs as memory_one_discounted


def best_response_gains(payoffs: Sequence[Array], policies: Sequence[Array]) -> Array:
    """``max_a J_k(a, pi_-k) - J_k(pi)`` for each of K players of a normal-form game.

    ``payoffs``: K arrays [n_1..n_K]; ``policies``: K mixed strategies [n_k]. Exact.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in payoffs]
    mixes = [np.asarray(mix, dtype=np.float64) for mix in policies]
    shape = tuple(len(mix) for mix in mixes)
    if len(tables) != len(mixes) or any(table.shape != shape for table in tables):
        raise ValueError(f"Payoffs {[t.shape for t in tables]} do not fit policies of {shape}.")
    for k, mix in enumerate(mixes):
        if not ((mix >= 0).all() and abs(mix.sum() - 1) < 1e-9):
            raise ValueError(f"Policy {k} is not a probability vector: {mix.tolist()}.")
    gains = np.empty(len(tables))
    for k, table in enumerate(tables):
        values = np.moveaxis(table, k, 0)
        for other in (mix for i, mix in reversed(list(enumerate(mixes))) if i != k):
            values = values @ other
        gains[k] = values.max() - values @ mixes[k]
    return gains


def nash_conv(payoffs: Sequence[Array], policies: Sequence[Array]) -> float:
    """The sum of all players' best-response gains: 0 exactly at a Nash equilibrium.

    In a two-player constant-sum game half of it is the exploitability.
    """
    return float(best_response_gains(payoffs, policies).sum())


@dataclass(frozen=True)
class Automaton:
    """A strategy of finitely many states, for a repeated game of two players.

    It acts by ``acts[s]``, then moves to ``moves[s, own, other]``, both as executed.
    """

    acts: Array  # [S, A], chance of each action in each state
    moves: Array  # [S, A, A'], int: the next state, by own action and the other's
    start: int = 0


def memory_one_automaton(p: Array, first: float = 1.0) -> Automaton:
    """A memory-one strategy as an automaton: a state for each outcome, and one for the opening.

    Actions are 0 for C and 1 for D; ``p``: [4], chance of C after CC, CD, DC, DD, own move first.
    """
    chances = np.append(np.asarray(p, dtype=np.float64), first)
    moves = np.broadcast_to(np.array([[0, 1], [2, 3]]), (5, 2, 2))
    return Automaton(np.stack([chances, 1 - chances], axis=1), moves, start=4)


@dataclass(frozen=True)
class BestResponse:
    """The value of the best response from the start, and an action for each state."""

    value: float
    actions: Array  # [S], or [T, S] for a finite horizon


def _decisions(automaton: Automaton, payoffs: Array, noise: float) -> tuple[Array, Array]:
    """The responder's decision process: rewards [S, A'], transitions [S, A', S].

    ``payoffs``: [A', A], the responder's, by its own action and the automaton's.
    """
    acts = np.asarray(automaton.acts, dtype=np.float64)
    table = np.asarray(payoffs, dtype=np.float64)
    states, size = acts.shape
    responses = table.shape[0]
    moves = np.asarray(automaton.moves)
    if table.shape != (responses, size) or moves.shape != (states, size, responses):
        raise ValueError(
            f"Payoffs {table.shape} [response, act] and moves {moves.shape} [state, act, response] "
            f"do not fit acts {acts.shape} [state, act]."
        )
    if not ((acts >= 0).all() and np.allclose(acts.sum(axis=1), 1)):
        raise ValueError("Each row of acts must be a probability vector.")
    acts = acts @ _flips(size, noise)
    done = _flips(responses, noise)  # [intended, executed]
    reward = done @ (table @ acts.T)  # [A', S]
    onward = np.zeros((states, responses, states))
    s, b, a = np.indices(moves.shape)
    np.add.at(onward, (s, a, moves), acts[s, b])
    return reward.T, np.einsum("ie,sej->sij", done, onward)


def _flips(size: int, noise: float) -> Array:
    """A move is replaced by one of the others, alike, with chance ``noise``."""
    if size == 1:
        return np.ones((1, 1))
    off = noise / (size - 1)
    return np.full((size, size), off) + (1 - noise - off) * np.eye(size)


def finite_best_response(
    automaton: Automaton, payoffs: Array, rounds: int, *, noise: float = 0.0
) -> BestResponse:
    """The greatest mean payoff a round over exactly ``rounds`` rounds, by backward induction."""
    if rounds < 1:
        raise ValueError(f"A match has at least one round, not {rounds!r}.")
    reward, onward = _decisions(automaton, payoffs, noise)
    value = np.zeros(len(reward))
    actions = np.empty((rounds, len(reward)), dtype=int)
    for t in range(rounds - 1, -1, -1):
        q = reward + onward @ value
        actions[t] = q.argmax(axis=1)
        value = q.max(axis=1)
    return BestResponse(float(value[automaton.start]) / rounds, actions)


def discounted_best_response(
    automaton: Automaton, payoffs: Array, gamma: float, *, noise: float = 0.0
) -> BestResponse:
    """The greatest discounted sum, unnormalised: policy iteration, so exact up to rounding."""
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must lie in 0 <= gamma < 1, not {gamma!r}.")
    reward, onward = _decisions(automaton, payoffs, noise)
    every = np.arange(len(reward))
    actions = reward.argmax(axis=1)
    while True:
        chain = np.eye(len(reward)) - gamma * onward[every, actions]
        value = np.linalg.solve(chain, reward[every, actions])
        q = reward + gamma * onward @ value
        better = q.argmax(axis=1)
        gain = q[every, better] - q[every, actions]
        if not (gain > 1e-12 * (1 + np.abs(value))).any():  # a tie keeps its action: no cycling
            return BestResponse(float(value[automaton.start]), actions)
        actions = np.where(gain > 0, better, actions)


def average_best_response(
    automaton: Automaton, payoffs: Array, *, noise: float = 0.0
) -> BestResponse:
    """The greatest long-run mean payoff a round from the start, for chains of any structure.

    The least ``g`` with ``g >= P_a g`` and ``g + h >= r_a + P_a h`` for every action a: the linear
    programme of Puterman 1994, section 9.3, solved by HiGHS to about 1e-9.
    The actions are those tight in both constraints; where several are, the first.
    """
    from scipy.optimize import linprog

    reward, onward = _decisions(automaton, payoffs, noise)
    states, responses = reward.shape
    stay = np.repeat(np.eye(states), responses, axis=0)
    flow = onward.reshape(-1, states) - stay
    upper = np.block([[flow, np.zeros_like(flow)], [-stay, flow]])
    limit = np.concatenate([np.zeros(len(flow)), -reward.ravel()])
    cost = np.concatenate([np.ones(states), np.zeros(states)])
    found = linprog(cost, A_ub=upper, b_ub=limit, bounds=(None, None), method="highs")
    if found.x is None:
        raise ArithmeticError(f"The linear programme of the best response failed: {found.message}")
    g, h = found.x[:states], found.x[states:]
    slack = np.abs(g[:, None] - onward @ g) + (g + h)[:, None] - reward - onward @ h
    return BestResponse(float(g[automaton.start]), slack.argmin(axis=1))


def memory_one_gain(
    p: Array,
    q: Array,
    *,
    first: float = 1.0,
    other_first: float = 1.0,
    noise: float = 0.0,
    gamma: float | None = None,
    rounds: int | None = None,
    payoffs: Sequence[float] = PAYOFFS,
) -> float:
    """What the player of memory-one p gains by a best response of any kind to q.

    Long-run mean by default; the discounted sum with ``gamma``; the mean of ``rounds`` rounds.
    Exact: against a finite automaton no strategy beats the best one that watches its state.
    """
    if gamma is not None and rounds is not None:
        raise ValueError("Give gamma or rounds, not both.")
    table = np.asarray(payoffs, dtype=np.float64).reshape(2, 2)
    automaton = memory_one_automaton(q, other_first)
    if gamma is not None:
        best = discounted_best_response(automaton, table, gamma, noise=noise)
        now = memory_one_discounted(
            p, q, gamma, noise=noise, first=first, other_first=other_first, payoffs=payoffs
        )
    elif rounds is not None:
        best = finite_best_response(automaton, table, rounds, noise=noise)
        now = finite_payoffs(
            p, q, rounds, noise=noise, first=first, other_first=other_first, payoffs=payoffs
        )
    else:
        best = average_best_response(automaton, table, noise=noise)
        now = long_run_payoffs(
            p, q, noise=noise, first=first, other_first=other_first, payoffs=payoffs
        )
    return best.value - float(now[0])
