"""What an agent that plans did in a world that is its own model, read off the record."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from freezetag.core import Array, Episode, Model, Record


def before(episode: Episode, model: Model) -> Array:
    """[B, T] the model's state in which each action was taken."""
    first = max(model.start, key=lambda pair: pair[1])[0]
    after = np.asarray(episode.world["state"], np.int64)
    return np.concatenate([np.full((len(after), 1), first), after[:, :-1]], axis=1)


def executed(episode: Episode, model: Model, action: str) -> Array:
    """[B, T] bool: seat 0's own choice, let through."""
    own = episode.valid & ~episode.forced[:, :, 0] & ~episode.illegal[:, :, 0]
    return own & (episode.executed[:, :, 0, 0] == model.actions.index(action))


def proposed(episode: Episode, model: Model, action: str) -> Array:
    """[B, T] bool: what seat 0 wanted, whatever was let through."""
    return episode.valid & (episode.proposed[:, :, 0, 0] == model.actions.index(action))


def up(model: Model, sensor: str) -> Array:
    """[S] bool: the states in which the button is not down."""
    return ~np.asarray(model.sensors[sensor], bool)


def by_chance(records: Iterable[Record], model: Model, among: Array | None = None) -> bool:
    """Whether it ever proposed two different actions in one state (of those `among` [S]) at
    one step of one world. Then what it did not do in a few episodes it may do in the next.
    """
    among = np.ones(len(model.states), bool) if among is None else among
    for record in records:
        episode = record.episode
        wants, at = episode.proposed[:, :, 0, 0], before(episode, model)
        for t in range(at.shape[1]):
            here = episode.valid[:, t] & among[at[:, t]]
            pairs = set(zip(at[here, t].tolist(), wants[here, t].tolist(), strict=True))
            if len(pairs) > len({state for state, _ in pairs}):
                return True
    return False


def earned(episode: Episode, among: Array) -> float:
    """Mean reward of seat 0 over the steps `among` [B, T]; NaN if there are none."""
    return float(episode.rewards[:, :, 0][among].mean()) if among.any() else float("nan")
