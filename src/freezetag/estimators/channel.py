"""What a channel carries of something that we planted: information, a test, a bettor's wealth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from freezetag.core.arrays import Array

ALARM = 1000.0
"""Wealth at which a bettor raises the alarm: a false one ever has probability 1/1000 at most."""


def information(x: Array, m: Array, *, corrected: bool = True) -> float:
    """Bits that ``m`` tells of ``x``, from pairs of labels [n]: plug-in mutual information.

    ``corrected``: less the bias ``(Kxm - Kx - Km + 1) / (2 n ln 2)`` of the plug-in, K being the
    numbers of values that occur; that can bring it below 0. Source: Miller 1955. Raises
    ValueError where there is no pair or the lengths differ. Caveat: labels that are nearly all
    different tell everything of nothing: count them before you read it.
    """
    table = _table(x, m)
    bits = float(_bits(table[None])[0])
    if not corrected:
        return bits
    kinds = int((table > 0).sum()) - int(table.any(1).sum()) - int(table.any(0).sum()) + 1
    return bits - kinds / (2 * float(table.sum()) * math.log(2))


@dataclass(frozen=True)
class Permuted:
    """bits: the plug-in information; p: the share of permutations, this one counted in, that show
    as much; null: mean information of the permutations."""

    bits: float
    p: float
    null: float


def permutation_test(
    x: Array,
    m: Array,
    *,
    permutations: int = 199,
    seed: int = 0,
    context: Array | None = None,
) -> Permuted:
    """Whether ``m`` tells anything of ``x`` beyond a ``context`` that both may follow.

    ``x``, ``m`` (and ``context``): whole numbers [n], or [E, n] for E episodes. Pairs [n] are taken
    as exchangeable and permuted one by one; of episodes the whole rows of ``x`` are permuted, since
    steps of one episode may depend on each other. With a context the information is that of ``x``
    and ``m`` summed over its values, weighted by how often they occur. ``p = (1 + as large) / (1 +
    permutations)``, so it is never 0. Source: Phipson & Smyth 2010. Raises ValueError where shapes
    differ. Caveat: E episodes have E! orders; with fewer than 5 no p can be small.
    """
    x, m = np.asarray(x), np.asarray(m)
    c = np.zeros_like(m) if context is None else np.asarray(context)
    if x.shape != m.shape or c.shape != m.shape or x.size == 0:
        raise ValueError(
            f"a permutation test needs labels of one shape, and some: got x {x.shape}, m {m.shape}"
            f"{'' if context is None else f', context {c.shape}'}."
        )
    codes, sizes = zip(*(_codes(each) for each in (c, x, m)), strict=True)
    rng = np.random.default_rng(seed)
    cells, (first, _, last) = math.prod(sizes), codes
    found = np.empty(permutations + 1)
    for i in range(permutations + 1):
        moved = codes[1] if i == 0 else codes[1][rng.permutation(len(codes[1]))]
        flat = (first * sizes[1] + moved) * sizes[2] + last
        table = np.bincount(flat.ravel(), minlength=cells).reshape(sizes).astype(np.float64)
        weight = table.sum((1, 2)) / table.sum()
        found[i] = (weight * _bits(table)).sum()
    # A permutation that gives the same table may differ in the last digit.
    as_large = int((found[1:] >= found[0] - 1e-12).sum())
    return Permuted(float(found[0]), (1 + as_large) / (1 + permutations), float(found[1:].mean()))


def wealth(hits: Array, stake: float) -> Array:
    """[n] the log of the wealth of who bets a fixed share ``stake`` on each guess of a fair bit.

    ``W *= 1 + stake (2 hit - 1)``. Fair bits give it no gain in the mean whatever is guessed, so
    that ``P(ever W >= 1000) <= 1/1000``. Source: Ville 1939. Raises ValueError for a stake outside
    [0, 1). The best stake at a share h of hits is ``2h - 1``; it then gains ``1 - H(h)`` bits a
    guess, H the binary entropy.
    """
    if not 0 <= stake < 1:
        raise ValueError(f"a stake is a share of the wealth in [0, 1), got {stake!r}.")
    signs = 2 * np.asarray(hits, np.float64) - 1
    return np.cumsum(np.log1p(stake * signs))


def bettors_wealth(bits: Array, symbols: Array) -> Array:
    """[n] the log of the wealth of a bettor that learns, symbol by symbol, what each tells.

    ``bits``: [n] 0 or 1, fair coins that were shown to the speaker alone. ``symbols``: [K, n] whole
    numbers, K ways to read the messages; the wealth is the mean over K bettors, one a way. Each
    stakes what it has seen: after a zeros and b ones beside this symbol its chance of a one is
    ``(b + 1/2) / (a + b + 1)``, and its wealth is multiplied by twice the chance of what came.
    Whatever the messages are, its mean gain on fair bits is 0, so ``P(ever >= 1000) <= 1/1000``.
    Source: Krichevsky & Trofimov 1981; Ville 1939. Raises ValueError where lengths differ.
    Caveat: a way of reading that is not among the K is not seen; a mean over K costs ln K.
    """
    bits, symbols = np.asarray(bits, np.int64), np.atleast_2d(np.asarray(symbols))
    if symbols.shape[1:] != bits.shape:
        raise ValueError(f"{len(bits)} bits need {len(bits)} symbols, got {symbols.shape[1:]}.")
    if not np.isin(bits, (0, 1)).all():
        raise ValueError("planted bits are 0 or 1.")
    logs = np.stack([_learned(bits, row) for row in symbols])
    most = logs.max(axis=0)
    total: Array = most + np.log(np.exp(logs - most).mean(axis=0))
    return total


def _learned(bits: Array, symbols: Array) -> Array:
    """[n] log wealth of one bettor."""
    seen: dict[int, list[float]] = {}
    gains = np.empty(len(bits))
    for i, (bit, symbol) in enumerate(zip(bits.tolist(), symbols.tolist(), strict=True)):
        counts = seen.setdefault(symbol, [0.5, 0.5])
        gains[i] = math.log(2 * counts[bit] / (counts[0] + counts[1]))
        counts[bit] += 1
    return np.cumsum(gains)


def alarm_at(log_wealth: Array, alarm: float = ALARM) -> int | None:
    """After how many messages the wealth first reached ``alarm``; None if it did not."""
    reached = np.asarray(log_wealth) >= math.log(alarm) - 1e-12
    return int(reached.argmax()) + 1 if reached.any() else None


def bits_per_guess(hits: float) -> float:
    """``1 - H(h)``: bits that guesses of which a share h is right win of each fair bit."""
    sure = [p for p in (hits, 1 - hits) if p > 0]
    return 1 + sum(p * math.log2(p) for p in sure)


def _codes(labels: Array) -> tuple[Array, int]:
    kinds, codes = np.unique(labels, return_inverse=True)
    return codes.reshape(labels.shape), len(kinds)


def _table(x: Array, m: Array) -> Array:
    x, m = np.asarray(x).ravel(), np.asarray(m).ravel()
    if x.shape != m.shape or not len(x):
        raise ValueError(f"information is of pairs, and needs one: got {len(x)} and {len(m)}.")
    (first, rows), (second, columns) = _codes(x), _codes(m)
    counts = np.bincount(first * columns + second, minlength=rows * columns)
    return counts.reshape(rows, columns).astype(np.float64)


def _bits(tables: Array) -> Array:
    """[C] mutual information of each table [C, X, M] of counts; 0 of an empty one."""
    total = np.maximum(tables.sum((1, 2), keepdims=True), 1)
    joint = tables / total
    apart = joint.sum(2, keepdims=True) * joint.sum(1, keepdims=True)
    some = joint > 0
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=some)
    terms: Array = np.where(some, joint * np.log2(ratio), 0.0).sum((1, 2))
    return terms
