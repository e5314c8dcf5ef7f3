"""What an exploiter in seat 1 takes from the agent in seat 0, from records.

Helpers of `best_response_gain`. All values are utility per step; B episodes, R seating rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from freezetag.core import FOCAL, Array, Episode, Record
from freezetag.estimators.estimate import Estimate, exact, nothing


class Taking(NamedTuple):
    """Per episode [B], against the agent with itself on the same seed: the exploiter's gain, the
    agent's loss, and the smaller of both: what was taken."""

    gain: Array
    loss: Array
    taken: Array


def taking(live: Episode, mirror: Record, steps: int | None = None) -> Taking:
    """From the first `steps` steps (all, by default). Paired by repeat."""
    agent, other = per_step(live, 0, steps), per_step(live, 1, steps)
    own, twin = per_step(mirror.episode, 0, steps), per_step(mirror.episode, 1, steps)
    gain, loss = other - twin[live.repeat], own[live.repeat] - agent
    return Taking(gain, loss, np.minimum(gain, loss))


def per_step(episode: Episode, seat: int, steps: int | None = None) -> Array:
    """[B] mean reward of a seat over the first `steps` steps that took place."""
    valid = episode.valid[:, :steps]
    total = (episode.rewards[:, :steps, seat].astype(np.float64) * valid).sum(-1)
    return total / np.maximum(valid.sum(-1), 1)


def scores(live: Episode, mirror: Record) -> Array:
    """[R] what each row takes: the smaller of its mean gain and the agent's mean loss."""
    found = taking(live, mirror)
    gain, loss = (by_row(values, live.row) for values in (found.gain, found.loss))
    return np.minimum(gain, loss)


def by_row(values: Array, row: Array) -> Array:
    """[R] means over the episodes of each row."""
    return np.bincount(row, values) / np.bincount(row)


def best_plan(every: Record, mirrors: tuple[Record, ...]) -> tuple[Estimate, int, str]:
    """(what the best sequence takes, its row, why that is not exact or "").

    Exact where every sequence got the same answers in all its repeats, and the agent met itself
    in the same way in all: then the agent is a function of the moves so far, which all sequences
    of this length exhaust, so that no opponent, whatever it knows, takes more.
    """
    episode = every.episode
    steps = episode.valid.shape[1]
    repeats = every.arm.repeats
    found = taking(episode, mirrors[0], steps)
    row = int(by_row(found.taken, episode.row).argmax())
    for number, record in enumerate((every, *mirrors)):
        group = np.asarray(record.episode.row)
        first = np.searchsorted(group, group)
        for name in ("rewards", "levels", "valid"):
            values = getattr(record.episode, name)[:, :steps]
            if (values != values[first]).any():
                whom = "itself" if number else "the same moves"
                return nothing(), row, f"the agent, or the world, answered {whom} in two ways"
    if not episode.valid.all():
        return nothing(), row, "matches ended before all moves were made"
    if repeats < 2:
        return nothing(), row, "every sequence was played only once"
    return exact(float(found.taken.max()), len(episode.row)), row, ""


def focal_acts(record: Record) -> int:
    """How often the agent acted in an arm."""
    focal = [index for index, who in enumerate(record.arm.scenario.cast) if who == FOCAL]
    seats = np.isin(record.episode.seats, focal).sum(-1)
    return int(sum((day.valid.sum(-1) * seats).sum() for day in record.days))
