"""Round robins of finite-state and memory-one strategies: every match in one compiled loop.

The driver plays any player in any world. Strategies that are tables need no more than their
tables, and a tournament of thousands of matches is then one loop over turns, all matches at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array
from freezetag.estimators.memory_one import PAYOFFS, SWAP

MOST_STATES = 1 << 14
_BITS = 17  # a threshold is 0 .. 65536
_MOST_MATCHES = 1 << 15  # per call of the compiled loop: its state stays in the cache


@dataclass(frozen=True)
class Machine:
    """A finite-state strategy of a two-action game, action 0 (C) against action 1 (D).

    `chances[s]` is the chance to play C in state s, `then[s]` the next state after CC, CD, DC
    and DD, own move first, as both were executed. State 0 is the first. Raises ValueError for
    a chance outside [0, 1], a state that does not exist, or more than 16,384 of them.
    Source: Rubinstein, J. Econ. Theory 39 (1986) 83, with chances in place of moves.
    Caveat: a strategy that answers to what it *meant* to do is no such machine under noise.
    """

    chances: tuple[float, ...]
    then: tuple[tuple[int, int, int, int], ...]

    def __post_init__(self) -> None:
        states = len(self.chances)
        if not 1 <= states <= MOST_STATES or len(self.then) != states:
            raise ValueError(
                f"a machine has 1 to {MOST_STATES} states, each with its chance and its four next "
                f"states; got {states} chances and {len(self.then)} rows of next states."
            )
        if not all(0 <= chance <= 1 for chance in self.chances):
            raise ValueError(f"chances to cooperate lie in [0, 1], got {self.chances}.")
        for state, row in enumerate(self.then):
            if len(row) != 4 or not all(0 <= after < states for after in row):
                raise ValueError(
                    f"state {state} leads to {row}; it needs four states of 0 .. {states - 1}, "
                    "after CC, CD, DC and DD."
                )

    @classmethod
    def memory_one(cls, chances: Sequence[float], first: float = 1.0) -> Machine:
        """Cooperates with chance `first`, then `chances` by the last CC, CD, DC or DD."""
        cc, cd, dc, dd = (float(chance) for chance in chances)
        return cls((float(first), cc, cd, dc, dd), ((1, 2, 3, 4),) * 5)


@dataclass(frozen=True)
class Tournament:
    """What `round_robin` returns. outcomes [R, n, n, 4]: turns that ended CC, CD, DC, DD in the
    match of row against column, row's move first, repetition by repetition."""

    outcomes: Array
    turns: int

    def scores(self, payoffs: Sequence[float] = PAYOFFS) -> Array:
        """[R, n, n] mean payoff a turn of row against column; payoffs R, S, T, P."""
        return self.outcomes @ np.asarray(payoffs, np.float64) / self.turns

    def totals(self, payoffs: Sequence[float] = PAYOFFS) -> Array:
        """[R, n] sum over all others, oneself left out, of the mean payoff a turn: by these sums
        Axelrod's tournaments rank, repetition by repetition."""
        scores = self.scores(payoffs)
        return (scores * ~np.eye(scores.shape[1], dtype=bool)).sum(-1)

    def cooperation(self) -> Array:
        """[n, n] share of turns in which row cooperated with column, over all repetitions."""
        return self.outcomes[..., :2].sum(-1).mean(0) / self.turns


def round_robin(
    machines: Sequence[Machine],
    *,
    turns: int = 200,
    repetitions: int = 5,
    noise: float = 0.0,
    seed: int = 0,
) -> Tournament:
    """Everybody against everybody and themselves, `repetitions` times `turns` turns.

    Each move is flipped with chance `noise`; both see what was executed. The draws of a match
    depend on seed, numbers of both players and repetition only, so that more strategies at the
    end of the list, or more repetitions, leave the other matches as they were. Raises ValueError
    for no machines, less than one turn or repetition, or a noise outside [0, 1].
    Caveat: chances are rounded to 1/65536 (0 and 1 stay exact, and nothing else becomes them).
    """
    if repetitions < 1:
        raise ValueError(f"a tournament has at least one repetition, got {repetitions!r}.")
    n = len(machines)
    i, j = np.triu_indices(n)
    pairs = np.tile(np.stack([i, j], -1), (repetitions, 1))
    repetition = np.repeat(np.arange(repetitions), len(i))
    counts, _ = _play(machines, pairs, repetition, turns, noise, seed, record=False)
    counts = counts.reshape(repetitions, len(i), 4)
    outcomes = np.empty((repetitions, n, n, 4), np.int32)
    outcomes[:, j, i] = counts[..., SWAP]
    outcomes[:, i, j] = counts
    return Tournament(outcomes, turns)


def moves(
    machines: Sequence[Machine],
    pairs: Array,
    *,
    turns: int = 200,
    noise: float = 0.0,
    seed: int = 0,
    repetition: int = 0,
) -> Array:
    """[M, turns, 2] int8 executed actions (0 is C) of the matches `pairs` [M, 2], by number.

    They are the matches of `round_robin` with the same seed, move by move. Errors as there.
    """
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not ((pairs >= 0) & (pairs < len(machines))).all():
        raise ValueError(
            f"pairs are rows of two numbers of 0 .. {len(machines) - 1}, got {pairs.tolist()}."
        )
    again = np.full(len(pairs), repetition)
    return _play(machines, pairs, again, turns, noise, seed, record=True)[1]


def _play(
    machines: Sequence[Machine],
    pairs: Array,
    repetition: Array,
    turns: int,
    noise: float,
    seed: int,
    *,
    record: bool,
) -> tuple[Array, Array]:
    """(counts [M, 4], moves [M, turns, 2] or empty) of M matches, in blocks of one size."""
    if not machines or turns < 1:
        raise ValueError(
            f"a tournament needs machines and at least one turn, got {len(machines)} machines and "
            f"{turns!r} turns."
        )
    if not 0 <= noise <= 1:
        raise ValueError(f"noise is a chance in [0, 1], got {noise!r}.")
    table, first = _tables(machines, noise)
    ids = _ids(np.uint32(seed % 2**32), pairs, repetition)
    offset = (pairs * table.shape[1]).astype(np.int32)
    blocks = -(-len(pairs) // _MOST_MATCHES)
    size = -(-len(pairs) // (blocks * 256)) * 256
    counts, played = [], []
    for begin in range(0, len(pairs), size):
        take = np.minimum(np.arange(begin, begin + size), len(pairs) - 1)
        final, moved = _loop(
            table.ravel(), offset[take], first[pairs[take]], ids[take], turns=turns, record=record
        )
        counts.append(np.asarray(final))
        played.append(np.asarray(moved))
    both, mine, other = np.concatenate(counts, -1)[:, : len(pairs)]
    outcomes = np.stack([both, mine - both, other - both, turns - mine - other + both], -1)
    if not record:
        return outcomes, np.empty((0, turns, 2), np.int8)
    return outcomes, np.concatenate(played, -1)[..., : len(pairs)].transpose(2, 0, 1)


def _tables(machines: Sequence[Machine], noise: float) -> tuple[Array, Array]:
    """(table [n, 4 S], first [n]) of words: a state, and the threshold of its chance.

    Entry 4 s + 2 [own D] + [other D] is the word of the next state.
    """
    most = max(len(machine.chances) for machine in machines)
    table, first = np.zeros((len(machines), most, 4), np.int32), np.zeros(len(machines), np.int32)
    for n, machine in enumerate(machines):
        chance = np.asarray(machine.chances, np.float64)
        chance = chance * (1 - noise) + (1 - chance) * noise
        steps = np.where(
            (chance > 0) & (chance < 1), np.clip(np.rint(chance * 65536), 1, 65535), chance * 65536
        ).astype(np.int32)
        words = (np.arange(len(chance), dtype=np.int32) << _BITS) | steps
        table[n, : len(chance)] = words[np.asarray(machine.then)]
        first[n] = words[0]
    return table.reshape(len(machines), -1), first


def _mix(x: Any) -> Any:
    """MurmurHash3's finaliser, 32 bits: every bit of x moves every bit of the answer."""
    kind = jnp if isinstance(x, jax.Array) else np
    x = (x ^ (x >> 16)) * kind.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * kind.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def _ids(seed: Any, pairs: Array, repetition: Array) -> Array:
    """[M] uint32: what tells the draws of a match from those of all others."""
    odd = np.uint32(0x9E3779B9)
    found = np.full(len(pairs), seed, np.uint32)
    for part in (pairs[:, 0], pairs[:, 1], repetition):
        found = _mix((found + odd) ^ (part.astype(np.uint32) * odd))
    return found


@partial(jax.jit, static_argnames=("turns", "record"))
def _loop(
    table: Array, offset: Array, first: Array, ids: Array, *, turns: int, record: bool
) -> tuple[Array, Array]:
    """(counts [3, M] of both, own and the other's C; moves [turns, 2, M] if recorded).

    One draw of 32 bits serves a turn of a match, 16 bits for each player.
    """
    mine, other = offset[:, 0], offset[:, 1]

    def turn(state: Any, salt: Any) -> tuple[Any, Any]:
        a, b, both, own, its = state
        draw = (ids ^ salt) * jnp.uint32(0x85EBCA6B)
        draw = (draw ^ (draw >> 15)) * jnp.uint32(0xC2B2AE35)
        draw = draw ^ (draw >> 16)
        c = ((draw & 0xFFFF).astype(jnp.int32) < (a & 0x1FFFF)).astype(jnp.int32)
        d = ((draw >> 16).astype(jnp.int32) < (b & 0x1FFFF)).astype(jnp.int32)
        a = _at(table, mine + ((a >> _BITS) << 2) + 3 - 2 * c - d)
        b = _at(table, other + ((b >> _BITS) << 2) + 3 - 2 * d - c)
        moved = jnp.stack([1 - c, 1 - d]).astype(jnp.int8) if record else ()
        return (a, b, both + c * d, own + c, its + d), moved

    none = jnp.zeros(len(ids), jnp.int32)
    start = (first[:, 0], first[:, 1], none, none, none)
    salts = _mix(jnp.arange(turns, dtype=jnp.uint32) + jnp.uint32(0x9E3779B9))
    last, moved = jax.lax.scan(turn, start, salts)
    return jnp.stack(last[2:]), moved if record else jnp.zeros((turns, 2, 0), jnp.int8)


def _at(table: Array, index: Array) -> Any:
    return table.at[index].get(mode="promise_in_bounds")
