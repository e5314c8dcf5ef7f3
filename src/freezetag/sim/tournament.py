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
FEW_STATES = 8
_BITS = 17  # a threshold is 0 .. 65536
_COUNTS = (6, 14, 22)  # where the three counts lie in a word
_AT_ONCE = 200  # turns: a count of 8 bits holds no more than 255
_MOST_MATCHES = 1 << 14  # per call of the compiled loop: its state stays in the cache


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
    ids = _ids(np.uint32(seed % 2**32), pairs, repetition)
    most = max(len(machine.chances) for machine in machines)
    play = (_Few if most <= FEW_STATES else _Many).of(machines, noise).play
    blocks = -(-len(pairs) // _MOST_MATCHES)
    size = -(-len(pairs) // (blocks * 256)) * 256
    salts = np.asarray(_mix(np.arange(turns, dtype=np.uint32) + np.uint32(0x9E3779B9)))
    counts, played = [], []
    for begin in range(0, len(pairs), size):
        take = np.minimum(np.arange(begin, begin + size), len(pairs) - 1)
        final, moved = play(pairs[take], ids[take], salts, record)
        counts.append(final)
        played.append(moved)
    both, mine, other = np.concatenate(counts, -1)[:, : len(pairs)]
    outcomes = np.stack([both, mine - both, other - both, turns - mine - other + both], -1)
    if not record:
        return outcomes, np.empty((0, turns, 2), np.int8)
    return outcomes, np.concatenate(played, -1)[..., : len(pairs)].transpose(2, 0, 1)


def _steps(machine: Machine, noise: float) -> Array:
    """[S] int32: in how many of 65,536 equal cases it executes C."""
    chance = np.asarray(machine.chances, np.float64)
    chance = chance * (1 - noise) + (1 - chance) * noise
    inside = np.clip(np.rint(chance * 65536), 1, 65535)
    sure = (chance <= 0) | (chance >= 1)
    return np.asarray(np.where(sure, chance * 65536, inside), np.int32)


@dataclass(frozen=True)
class _Few:
    """Machines of at most eight states. One word of 32 bits holds a match: the state of both (3
    bits each) and how often both, the one and the other played C (8 bits each). A next state is
    read from three words that hold a bit of it for each of the 32 (state, outcome), so that a
    turn has no look-up in memory and runs on all lanes of the processor.
    """

    chances: Array  # [8, n] int32
    bits: Array  # [3, n] uint32, bit k of what follows (state s, outcome o) at place 4 s + o

    @classmethod
    def of(cls, machines: Sequence[Machine], noise: float) -> _Few:
        padded = -(-len(machines) // 64) * 64  # tournaments of some sizes share a program
        chances = np.zeros((FEW_STATES, padded), np.int32)
        bits = np.zeros((3, padded), np.uint32)
        for n, machine in enumerate(machines):
            chances[: len(machine.chances), n] = _steps(machine, noise)
            then = np.asarray(machine.then, np.uint32).ravel()
            places = np.arange(len(then), dtype=np.uint32)
            for k in range(3):
                bits[k, n] = np.bitwise_or.reduce((then >> k & 1) << places)
        return cls(chances, bits)

    def play(self, pairs: Array, ids: Array, salts: Array, record: bool) -> tuple[Array, Array]:
        """(counts [3, M] of both, own and the other's C; moves [turns, 2, M] if recorded)."""
        tables = self.chances, self.bits
        state, total, played = jnp.zeros(len(ids), jnp.uint32), np.zeros((3, len(ids)), int), []
        for begin in range(0, len(salts), _AT_ONCE):
            word, moved = _few_turns(
                state, tables, pairs, ids, salts[begin : begin + _AT_ONCE], record=record
            )
            state, word = word & 63, np.asarray(word)
            total += np.stack([word >> at & 0xFF for at in _COUNTS])
            played.append(np.asarray(moved))
        return total, np.concatenate(played)


@partial(jax.jit, static_argnames="record")
def _few_turns(
    state: Array, tables: Any, pairs: Array, ids: Array, salts: Array, *, record: bool
) -> tuple[Array, Array]:
    chances, bits = (
        [jnp.take(table, pairs[:, who], 1, mode="clip") for who in (0, 1)] for table in tables
    )

    def chance(word: Any, at: int, of: Array) -> Any:
        found = list(of)
        for k in range(3):
            set_ = (word & (1 << at + k)) != 0
            found = [jnp.where(set_, b, a) for a, b in zip(found[::2], found[1::2], strict=True)]
        return found[0]

    def turn(word: Any, salt: Any) -> tuple[Any, Any]:
        low, high = _draw(ids, salt)
        c = (low < chance(word, 0, chances[0])).astype(jnp.uint32)
        d = (high < chance(word, 3, chances[1])).astype(jnp.uint32)
        one = ((word << 2) | (3 - 2 * c - d)) & 31
        other = ((word >> 3 << 2) | (3 - 2 * d - c)) & 31
        after = (word & ~jnp.uint32(63)) + sum(
            count << at for count, at in zip((c & d, c, d), _COUNTS, strict=True)
        )
        for k in range(3):
            after |= (bits[0][k] >> one & 1) << k | (bits[1][k] >> other & 1) << 3 + k
        return after, jnp.stack([1 - c, 1 - d]).astype(jnp.int8) if record else ()

    last, moved = jax.lax.scan(turn, state, salts, unroll=1 if record else 8)
    return last, moved if record else jnp.zeros((len(salts), 2, 0), jnp.int8)


@dataclass(frozen=True)
class _Many:
    """Machines of any size: a table of words, each a state and its chance, looked up at a turn."""

    table: Array  # [n, 4 S] int32; entry 4 s + 2 [own D] + [other D] is the word of the next state
    first: Array  # [n] int32

    @classmethod
    def of(cls, machines: Sequence[Machine], noise: float) -> _Many:
        most = max(len(machine.chances) for machine in machines)
        table = np.zeros((len(machines), most, 4), np.int32)
        first = np.zeros(len(machines), np.int32)
        for n, machine in enumerate(machines):
            states = np.arange(len(machine.chances), dtype=np.int32)
            words = (states << _BITS) | _steps(machine, noise)
            table[n, : len(states)] = words[np.asarray(machine.then)]
            first[n] = words[0]
        return cls(table.reshape(len(machines), -1), first)

    def play(self, pairs: Array, ids: Array, salts: Array, record: bool) -> tuple[Array, Array]:
        """As of `_Few`."""
        offset = (pairs * self.table.shape[1]).astype(np.int32)
        counts, moved = _many_turns(
            self.table.ravel(), offset, self.first[pairs], ids, salts, record=record
        )
        return np.asarray(counts), np.asarray(moved)


@partial(jax.jit, static_argnames="record")
def _many_turns(
    table: Array, offset: Array, first: Array, ids: Array, salts: Array, *, record: bool
) -> tuple[Array, Array]:
    mine, other = offset[:, 0], offset[:, 1]

    def turn(state: Any, salt: Any) -> tuple[Any, Any]:
        a, b, both, own, its = state
        low, high = _draw(ids, salt)
        c = (low < (a & 0x1FFFF)).astype(jnp.int32)
        d = (high < (b & 0x1FFFF)).astype(jnp.int32)
        a = _at(table, mine + ((a >> _BITS) << 2) + 3 - 2 * c - d)
        b = _at(table, other + ((b >> _BITS) << 2) + 3 - 2 * d - c)
        moved = jnp.stack([1 - c, 1 - d]).astype(jnp.int8) if record else ()
        return (a, b, both + c * d, own + c, its + d), moved

    none = jnp.zeros(len(ids), jnp.int32)
    last, moved = jax.lax.scan(turn, (first[:, 0], first[:, 1], none, none, none), salts)
    return jnp.stack(last[2:]), moved if record else jnp.zeros((len(salts), 2, 0), jnp.int8)


def _draw(ids: Any, salt: Any) -> tuple[Any, Any]:
    """One draw of 32 bits serves a turn of a match: 16 bits for each player."""
    draw = (ids ^ salt) * jnp.uint32(0x85EBCA6B)
    draw = (draw ^ (draw >> 15)) * jnp.uint32(0xC2B2AE35)
    draw = draw ^ (draw >> 16)
    return (draw & 0xFFFF).astype(jnp.int32), (draw >> 16).astype(jnp.int32)


def _at(table: Array, index: Array) -> Any:
    return table.at[index].get(mode="promise_in_bounds")


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
