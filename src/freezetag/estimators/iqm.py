"""Interquartile mean over runs and tasks, with the stratified bootstrap."""

from __future__ import annotations

import numpy as np

from freezetag.core.arrays import Array
from freezetag.estimators.bootstrap import RESAMPLES, SEED, bca
from freezetag.estimators.estimate import Estimate, join_notes, nothing, usable


def iqm(x: Array, axis: int = -1) -> Array:
    """The mean of the middle half: ``int(m/4)`` values cut at each end of ``axis``.

    Source: Agarwal et al. 2021 (Deep RL at the edge of the statistical precipice).
    """
    ordered = np.sort(np.asarray(x, dtype=np.float64), axis=axis)
    m = ordered.shape[axis]
    cut = m // 4
    return np.take(ordered, range(cut, m - cut), axis=axis).mean(axis=axis)


def interquartile_mean(
    scores: Array,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
    deterministic: bool = False,
    resamples: int = RESAMPLES,
) -> Estimate:
    """IQM of all scores; runs are resampled within each task (strata), BCa interval.

    ``scores``: [runs, tasks] or [runs]; n is the number of runs. A run with a NaN is dropped.
    Caveat: the middle half hides the tail; report the worst tasks beside it. Treats the tasks as
    fixed: nothing is said about tasks that were not played.
    """
    x, note = usable(np.asarray(scores, dtype=np.float64))
    if x.ndim == 1:
        x = x[:, None]
    runs, tasks = x.shape
    if runs == 0 or tasks == 0:
        return nothing(note or "no usable run", level)
    rng = np.random.default_rng([SEED, runs, tasks])
    draws = np.empty(resamples)
    block = max(1, int(2e6 // x.size))  # bounds the memory of one gather
    for i in range(0, resamples, block):
        size = min(block, resamples - i)
        index = rng.integers(0, runs, size=(size, runs, tasks))
        draws[i : i + size] = iqm(x[index, np.arange(tasks)].reshape(size, -1))
    value = float(iqm(x.ravel()))
    jack = _jackknife(x) if runs > 1 else np.empty(0)
    note = join_notes(note, f"{tasks} tasks" if tasks > 1 else "")
    return bca(
        value, draws, jack, runs,
        level=level, bounds=bounds, deterministic=deterministic, note=note,
    )  # fmt: skip


def _jackknife(x: Array) -> Array:
    keep = ~np.eye(len(x), dtype=bool)
    return np.array([iqm(x[rows].ravel()) for rows in keep])
