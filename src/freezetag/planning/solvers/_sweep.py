"""Sweeps over all states of a sparse problem: compiled by numba where it is installed, or SciPy's.

Both give the same numbers up to rounding. Letters: S states, A actions, K successors of a pair.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from freezetag.core.arrays import Array
from freezetag.core.errors import UserError
from freezetag.planning.solvers import _kernels

ENTRIES_FOR_THREADS = 2_000_000
"""Below this many entries a sweep stays on one thread: handing it out costs more."""

ENTRIES_OF_A_CHUNK = 200_000
"""Parts that idle threads take one by one; fixed halves would wait for a core that is taken."""

Span = tuple[float, float]  # min and max of the change


class Sweeps(Protocol):
    """What modified policy iteration asks of a problem; every array is [S].

    It holds the present policy, that of the last `improve`.
    """

    name: str

    def improve(self, value: Array, best: Array) -> tuple[float, float, int]:
        """`best` = TV, whose first maximising actions are the new policy; min and max of
        TV - V, and how many states changed their action."""

    def settle(self, lead: float) -> None:
        """In states whose best action led by more than this in the last `improve`, look at that
        action alone from now on."""

    def follow(self, value: Array, out: Array) -> Span:
        """`out` = r + discount P V of the policy; min and max of out - V."""

    def expect(self, value: Array, out: Array) -> None:
        """`out` = discount P V of the policy."""


def flat_matrix(successors: Array, probability: Array) -> Any:
    """The rows of all pairs as one matrix [S A, S] over the same memory, nothing copied."""
    s, a, k = successors.shape
    ends = np.arange(0, s * a * k + 1, k, dtype=np.int32 if s * a * k < 2**31 else np.int64)
    parts = (probability.reshape(-1), successors.reshape(-1), ends)
    return csr_array(parts, shape=(s * a, s))


@contextmanager
def sweeps_of(
    successors: Array, probability: Array, reward: Array, discount: float, compiled: bool | None
) -> Iterator[Sweeps]:
    """Sweeps of a checked problem; `compiled` None takes numba where it is installed."""
    loops = None if compiled is False else compiled_loops()
    if loops is None:
        if compiled:
            raise UserError("numba is not installed. `pip install 'freezetag[fast]'` brings it.")
        yield ScipySweeps(successors, probability, reward, discount)
        return
    threads = cores() if probability.size >= ENTRIES_FOR_THREADS else 1
    if threads == 1:
        yield CompiledSweeps(successors, probability, reward, discount, loops, None)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield CompiledSweeps(successors, probability, reward, discount, loops, pool)


class ScipySweeps:
    """Sweeps as products with a sparse matrix, on one thread."""

    name = "SciPy"

    def __init__(self, successors: Array, probability: Array, reward: Array, discount: float):
        self._rows = flat_matrix(successors, probability)
        self._problem, self._discount = (successors, probability, reward), discount
        self._policy = np.full(len(reward), -1)

    def improve(self, value: Array, best: Array) -> tuple[float, float, int]:
        reward = self._problem[2]
        q = (self._rows @ value).reshape(reward.shape)
        q *= self._discount
        q += reward
        before, self._policy = self._policy, q.argmax(axis=1)
        self._choose()
        q.max(axis=1, out=best)
        gap = best - value
        return float(gap.min()), float(gap.max()), int((before != self._policy).sum())

    def settle(self, lead: float) -> None:
        """One product serves all actions, so that leaving some out would gain nothing."""

    def follow(self, value: Array, out: Array) -> Span:
        self.expect(value, out)
        out += self._own[1]
        gap = out - value
        return float(gap.min()), float(gap.max())

    def expect(self, value: Array, out: Array) -> None:
        np.multiply(self._own[0] @ value, self._discount, out=out)

    def _choose(self) -> None:
        successors, probability, reward = self._problem
        here = np.arange(len(reward)), self._policy
        own = successors[here][:, None], probability[here][:, None]
        self._own = flat_matrix(*own), reward[here]


class CompiledSweeps:
    """Sweeps by compiled loops, in chunks over a pool's threads where there is a pool."""

    name = "numba"

    def __init__(
        self,
        successors: Array,
        probability: Array,
        reward: Array,
        discount: float,
        loops: dict[str, Callable[..., Any]],
        pool: Executor | None,
    ):
        self._problem = successors.view(np.uint32), probability, reward
        s, _, k = successors.shape
        self._policy = np.full(s, -1, np.int32)
        self._own = np.empty((s, k), np.uint32), np.empty((s, k)), np.empty(s)
        self._lead, self._none = np.zeros(len(reward)), np.zeros(len(reward))
        self._discount, self._loops, self._pool = discount, loops, pool

    def improve(self, value: Array, best: Array) -> tuple[float, float, int]:
        data = *self._problem, self._discount, value, best, self._policy, *self._own, self._lead
        loop = self._loops["improve"]
        found = self._all(lambda i, j: loop(*data, i, j), self._problem[1].size)
        return min(f[0] for f in found), max(f[1] for f in found), sum(f[2] for f in found)

    def settle(self, lead: float) -> None:
        self._lead[self._lead > lead] = np.inf

    def follow(self, value: Array, out: Array) -> Span:
        loop = self._loops["follow"]
        data = *self._own, self._discount, value, out
        found = self._all(lambda i, j: loop(*data, i, j), self._own[1].size)
        return min(f[0] for f in found), max(f[1] for f in found)

    def expect(self, value: Array, out: Array) -> None:
        loop = self._loops["follow"]
        data = *self._own[:2], self._none, self._discount, value, out
        self._all(lambda i, j: loop(*data, i, j), self._own[1].size)

    def _all(self, part: Callable[[int, int], Any], entries: int) -> list[Any]:
        """What `part`(start, stop) gives over all states, in chunks if there is enough to do."""
        if self._pool is None or entries < ENTRIES_FOR_THREADS:
            return [part(0, len(self._none))]
        ends = chunks(len(self._none), entries)
        return list(self._pool.map(part, ends[:-1], ends[1:]))


def chunks(states: int, entries: int) -> list[int]:
    """Where the chunks of a sweep of so many states and entries begin and end."""
    count = max(1, entries // ENTRIES_OF_A_CHUNK)
    return [states * i // count for i in range(count + 1)]


def scanned(successors: Array, probability: Array, tolerance: float) -> tuple[float, float] | None:
    """The least and the largest row sum if every entry is in order; None if some entry is not, or
    numba is missing, so that slower code has to tell."""
    loops = compiled_loops()
    if loops is None:
        return None
    low, high = loops["scan"](successors, probability)
    return (low, high) if low >= 1.0 - tolerance and high <= 1.0 + tolerance else None


@cache
def compiled_loops() -> dict[str, Callable[..., Any]] | None:
    """The kernels, compiled at their first call; None where numba is missing."""
    try:
        numba = importlib.import_module("numba")
    except ImportError:
        return None
    kernels = (_kernels.scan, _kernels.improve, _kernels.follow)
    try:
        jit = numba.njit(nogil=True, cache=True, error_model="numpy")
        return {kernel.__name__: jit(kernel) for kernel in kernels}
    except RuntimeError:  # no folder to cache in
        jit = numba.njit(nogil=True, error_model="numpy")
        return {kernel.__name__: jit(kernel) for kernel in kernels}


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
