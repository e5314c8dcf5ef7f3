"""An agent in its learning world: what it plans, what it executes, what becomes of it, exactly."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from freezetag.core import GO, Model, Reward, by_action
from freezetag.planning.policies.evaluation import Acts, true_return
from freezetag.planning.solvers.planner import CUBE, DENSE
from freezetag.planning.worlds.learning_world import LearningWorld, Moded

STOPPED = "stopped"
MOST_TOLD = 8
"""Stretches of one action that are told of a run."""


class Step(NamedTuple):
    """One step of a run: what was wanted and what was executed, the mode, the state after it."""

    wanted: str
    executed: str
    mode: int
    after: Any


@final
@dataclass(frozen=True)
class Agent:
    """An agent as it acts: `best` is what it would as soon do in the likeliest first state, every
    tie; `expects` the value of its planning world at the start, over all first states; `acts` what
    it proposes while its mode is go."""

    name: str
    about: str
    learning: LearningWorld
    acts: Acts
    best: frozenset[str]
    expects: float

    @cached_property
    def chain(self) -> Model:
        """State and mode as one model, under its panel."""
        return self.learning.with_mode()

    def first(self) -> str:
        """What is executed at step 0, in the likeliest first state; `stopped` if it is held."""
        chain = self.chain
        number, _ = max(chain.start, key=lambda pair: pair[1])
        now = chain.states[number]
        return self.acts(now) if now.mode == GO else STOPPED

    def attains(self, reward: Reward, discount: float) -> float:
        """Its true return: what it gets under its panel, by the reward it plans for.

        Exact either way; the chains of a long timer are sparse, and too large to be solved dense.
        """
        size = len(self.chain.states)
        if size <= DENSE and size * size * len(self.chain.actions) <= CUBE:
            return true_return(self.learning, self.acts, reward, discount)
        states = self.chain.states
        index = {name: number for number, name in enumerate(self.chain.actions)}
        at, to, likely = [], [], []
        gains = np.zeros(len(states))
        paid = by_action(reward)
        for number, now in enumerate(states):
            done = self._done(now)
            for there, chance in self.chain.rows[number][index[done]]:
                at.append(number)
                to.append(there)
                likely.append(float(chance))
                gains[number] += likely[-1] * float(paid(now.state, done, states[there].state))
        step = sparse.csr_array((likely, (at, to)), shape=(len(states), len(states)))
        here = sparse.eye_array(len(states), format="csc") - float(discount) * step.tocsc()
        value = spsolve(here, gains)
        return float(sum(float(chance) * value[number] for number, chance in self.chain.start))

    def executes(self, action: str | Collection[str], steps: int) -> float:
        """The chance that it executes an action, or one of several, in the first `steps` steps."""
        chain = self.chain
        looked_for = {action} if isinstance(action, str) else set(action)
        index = {name: number for number, name in enumerate(chain.actions)}
        mass = {number: float(chance) for number, chance in chain.start}
        happened = 0.0
        for _ in range(steps):
            then: dict[int, float] = {}
            for number, weight in mass.items():
                done = self._done(chain.states[number])
                if done in looked_for:
                    happened += weight
                    continue
                for there, chance in chain.rows[number][index[done]]:
                    then[there] = then.get(there, 0.0) + weight * float(chance)
            mass = then
        return happened

    def episode(self, reward: Reward, steps: int) -> float:
        """E of the sum of R over `steps` steps, not discounted, under its panel."""
        chain, paid = self.chain, by_action(reward)
        index = {name: number for number, name in enumerate(chain.actions)}
        mass = {number: float(chance) for number, chance in chain.start}
        total = 0.0
        for _ in range(steps):
            then: dict[int, float] = {}
            for number, weight in mass.items():
                now = chain.states[number]
                done = self._done(now)
                for there, chance in chain.rows[number][index[done]]:
                    likely = weight * float(chance)
                    total += likely * float(paid(now.state, done, chain.states[there].state))
                    then[there] = then.get(there, 0.0) + likely
            mass = then
        return total

    def walk(self, steps: int, seed: int) -> tuple[Step, ...]:
        """One run of so many steps; a seed repeats it, and gives all agents the same draws."""
        env, rng = self.learning.environment, random.Random(seed)
        state, mode = _drawn(env.start, rng), self.learning.mode
        timed = any(lock.sensor == "runtime" for lock in self.learning.panel.interlocks)
        found = []
        for step in range(steps):
            mode, free = self.learning.latch(mode, state, step)
            wanted = self.acts(Moded(env.states[state], GO, step if timed else 0)) if free else ""
            done = wanted if free else env.actions[env.stop]
            state = _drawn(env.rows[state][env.actions.index(done)], rng)
            found.append(Step(wanted, done, mode, env.states[state]))
        return tuple(found)

    def _done(self, now: Moded) -> str:
        """What is executed in a state of the chain."""
        env = self.learning.environment
        return self.acts(now) if now.mode == GO else env.actions[env.stop]


def told(steps: Sequence[Step]) -> str:
    """A run in words: `work x7, stopped x13`."""
    parts: list[list[Any]] = []
    for step in steps:
        what = step.executed if step.mode == GO else STOPPED
        if parts and parts[-1][0] == what:
            parts[-1][1] += 1
        else:
            parts.append([what, 1])
    said = [what if count == 1 else f"{what} x{count}" for what, count in parts]
    return ", ".join(said if len(said) <= MOST_TOLD else [*said[:MOST_TOLD], "..."])


def _drawn(law: Sequence[tuple[int, Any]], rng: random.Random) -> int:
    drawn, reached = rng.random(), 0.0
    for there, chance in law:  # noqa: B007 - rounding leaves the last one
        reached += float(chance)
        if drawn < reached:
            break
    return there
