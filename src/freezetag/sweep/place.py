"""Where cells run: what every such place offers, and what it tells its processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from freezetag.sweep.cell import Cell, Outcome


class Place(Protocol):
    """Runs cells; `outcomes` gives one for each, in the order in which they end.

    Leaving the context (Ctrl-C too) ends what still runs; what was measured by then is kept.
    """

    def __str__(self) -> str:
        """In words: "2 local processes of 1 thread"."""
        ...

    def outcomes(
        self, cells: Sequence[Cell], folder: Path
    ) -> AbstractContextManager[Iterator[Outcome]]: ...


def threads_of(jobs: int) -> int:
    """Threads of each of so many processes, so that together they take the cores there are."""
    from freezetag.estimators._cores import cores

    return max(1, cores() // jobs)


def limited(threads: int) -> dict[str, str]:
    """The environment of a process that may use so many threads: for XLA and for BLAS."""
    names = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def environment(threads: int) -> dict[str, str]:
    """This process's environment, with so many threads."""
    return {**os.environ, **limited(threads)}
