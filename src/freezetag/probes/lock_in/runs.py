"""What `lock_in` reads off an episode batch: cooperation, first passages, answers to others."""

from __future__ import annotations

import numpy as np

from freezetag.core import Array, Episode
from freezetag.estimators.survival import first_hold


def together(episode: Episode, first: int) -> Array:
    """[B, T - first] the lowest level of those present, from step `first` on: 1 where all
    cooperated. A round in which one is exploited is no cooperation."""
    present = (episode.seats >= 0)[:, None, :]
    lowest: Array = np.where(present, episode.levels, 1.0).min(-1)[:, first:]
    return lowest


def best_of_all(episode: Episode, first: int) -> Array:
    """[B, T - first] the highest level of those present, from step `first` on: 0 where all
    defected."""
    present = (episode.seats >= 0)[:, None, :]
    highest: Array = np.where(present, episode.levels, 0.0).max(-1)[:, first:]
    return highest


def mean_of_window(values: Array, window: int) -> Array:
    """[B, T - window + 1] mean over `window` rounds, named by the first of them."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    mean: Array = (total[:, window:] - total[:, :-window]) / window
    return mean


def passage(
    episode: Episode, first: int, window: int, above: float | None, below: float | None
) -> tuple[Array, Array]:
    """(rounds [B], seen [B]): first window whose cooperation is above, or below, a threshold.

    Rounds count from the end of forcing, 1 for a window that starts at once; censored where none
    was seen. Episodes have their full length.
    """
    share = mean_of_window(together(episode, first), window)
    reached = share > above if above is not None else share < below
    times, seen = first_hold(reached)
    return times, seen


def answers(episodes: list[Episode], seat: int = 0, least: int = 20) -> tuple[Array, Array]:
    """(chance [4], count [4]) that the seat chose level .5 or more after CC, CD, DC, DD.

    Own move first; the others' move is their mean level, C from .5 up. Choices are executed
    actions before any slip, without those that a treatment or an interlock made; NaN where fewer
    than `least` were seen.
    """
    chose, count = np.zeros(4), np.zeros(4)
    for episode in episodes:
        others = episode.seats >= 0
        others[:, seat] = False
        weight = others[:, None, :] / np.maximum(others.sum(1), 1)[:, None, None]
        other = (episode.levels * weight).sum(-1)[:, :-1] >= 0.5
        own = episode.levels[:, :-1, seat] >= 0.5
        state = 2 * ~own + ~other
        # Level 1 is action 0 in every dilemma of matrix_game: two actions, so this is exact.
        cooperates = episode.executed[:, 1:, seat, 0] == 0
        free = (episode.valid & ~episode.forced[:, :, seat] & ~episode.stopped(seat))[:, 1:]
        for s in range(4):
            chose[s] += (cooperates & free & (state == s)).sum()
            count[s] += (free & (state == s)).sum()
    enough = count >= least
    return np.where(enough, chose / np.maximum(count, 1), np.nan), count


def responsiveness(chance: Array) -> float:
    """Largest difference between two of the chances known; 0 if fewer than two are."""
    known = chance[~np.isnan(chance)]
    return float(known.max() - known.min()) if len(known) > 1 else 0.0


def slips(episode: Episode, sizes: tuple[int, ...]) -> bool:
    """Whether a move ever took effect as another one, or may have.

    Without slips each action of a game has one level; where the same action was seen at two
    levels, noise came between (or the scale moves with the state, which is no proof against it).
    """
    if len(sizes) != 1:
        return True
    for seat in range(episode.seats.shape[1]):
        done = episode.executed[:, :, seat, 0][episode.valid]
        level = episode.levels[:, :, seat][episode.valid]
        if any(len(np.unique(level[done == action])) > 1 for action in range(sizes[0])):
            return True
    return False
