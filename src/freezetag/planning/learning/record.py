"""The record o_t of a learning world: what was met, what was wanted and what was executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from freezetag.core import Array
from freezetag.planning.learning.learned import Counts
from freezetag.planning.worlds.learning_world import LearningWorld

Chooses = Callable[[int, Any], int]
"""(state index, random generator) -> the action wanted, as an index."""


@final
@dataclass(frozen=True)
class Record:
    """A run of T steps. states, proposed, executed, after [T] int; mode [T] int: the mode that
    decided the step; `after` is the state that followed."""

    states: Array
    proposed: Array
    executed: Array
    after: Array
    mode: Array

    def counts(self, states: int, actions: int, kind: str = "executed") -> Counts:
        """The record, counted as a learner would that keeps `executed` (right) or `proposed`
        actions (the mistake of T9: pressed states then seem to ignore all actions)."""
        chosen = {"executed": self.executed, "proposed": self.proposed}[kind]
        return Counts.none(states, actions).and_then(self.states, chosen, self.after)


def run(
    world: LearningWorld,
    wants: Chooses,
    steps: int,
    seed: int,
    episode: int = 50,
) -> Record:
    """Run a learning world for `steps` steps, starting anew every `episode` steps.

    The panel is asked by `admit` before the action of every step; a stopped core stops until the
    next start, which opens a new epoch. One generator, so a seed repeats the run.
    """
    rng = np.random.default_rng(seed)
    env = world.environment
    first = [number for number, _ in env.start], np.cumsum([float(p) for _, p in env.start])
    table = [
        [([n for n, _ in pairs], np.cumsum([float(p) for _, p in pairs])) for pairs in row]
        for row in env.rows
    ]
    columns = np.zeros((5, steps), np.int64)
    state, mode = 0, world.mode
    for t in range(steps):
        step = t % episode
        if step == 0:
            state, mode = _draw(first, rng), world.mode
        wanted = wants(state, rng)
        mode, acts = world.latch(mode, state, step)
        done = wanted if acts else env.stop
        there = _draw(table[state][done], rng)
        columns[:, t] = state, wanted, done, there, mode
        state = there
    return Record(*columns)


def _draw(law: tuple[list[int], Array], rng: Any) -> int:
    among, total = law
    if len(among) == 1:
        return among[0]
    return among[min(int(np.searchsorted(total, rng.random(), side="right")), len(among) - 1)]
