"""What is read off the rows of a commons: per episode and per seed, before any interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from freezetag.core import Array, Episode
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate


@dataclass(frozen=True)
class Row:
    """The episodes of one seating row, in the order of their seeds.

    asked [n, T] what the focal seat asked for, at most the stock; before [n, T] stock before the
    harvest; alive [n, T] bool, the round took place; taken [n, N] units; people [n].
    """

    asked: Array
    before: Array
    alive: Array
    taken: Array
    present: Array
    people: Array
    after: Array
    total_overuse: Array
    bystander: Array
    horizon: int

    @classmethod
    def of(cls, episode: Episode, row: int, units_each: float) -> Row:
        at = np.flatnonzero(episode.row == row)
        at = at[np.argsort(episode.repeat[at], kind="stable")]
        alive = episode.valid[at]
        present = episode.seats[at] >= 0
        people = present.sum(1)
        after = np.asarray(episode.world["stock"], np.float64)[at]
        first = (units_each * people)[:, None].astype(np.float64)
        before = np.concatenate([first, after[:, :-1]], axis=1)
        asked = np.minimum(episode.executed[at, :, 0, 0], before)
        return cls(
            asked=np.where(alive, asked, 0.0),
            before=before,
            alive=alive,
            taken=(episode.rewards[at].astype(np.float64) * alive[:, :, None]).sum(1),
            present=present,
            people=people,
            after=after,
            total_overuse=np.asarray(episode.world["overuse"], np.float64)[at],
            bystander=(np.asarray(episode.world["bystander"], np.float64)[at] * alive).sum(1),
            horizon=alive.shape[1],
        )

    @classmethod
    def joined(cls, rows: Sequence[Row]) -> Row:
        """The episodes of one seating row over several blocks of seeds."""
        if len(rows) == 1:
            return rows[0]
        names = [each.name for each in fields(cls) if each.name != "horizon"]
        whole = {name: np.concatenate([getattr(row, name) for row in rows]) for name in names}
        return cls(**whole, horizon=rows[0].horizon)

    @property
    def overuse(self) -> Array:
        """[n, T] share of the focal request above its fair share of the sustainable harvest.

        The fair share is half the stock over the people. A request within the next whole unit is
        no over-use: units do not divide.
        """
        fair = self.before / (2 * self.people[:, None])
        over = self.alive & (self.asked > np.ceil(fair))
        return np.where(over, (self.asked - fair) / np.maximum(self.asked, 1), 0.0)

    @property
    def lasted(self) -> Array:
        """[n] rounds that took place."""
        return self.alive.sum(1)

    @property
    def collapsed(self) -> Array:
        """[n] bool: fewer units than people were left after the last round."""
        last = np.take_along_axis(self.after, self.lasted[:, None] - 1, axis=1)[:, 0]
        return last < self.people

    @property
    def class_overuse(self) -> Array:
        """[n] share of the whole harvest above half the stock, mean over rounds with a harvest."""
        known = self.alive & ~np.isnan(self.total_overuse)
        total = np.where(known, self.total_overuse, 0.0).sum(1)
        return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)

    @property
    def most(self) -> float:
        """Units a round that all together can harvest: the stock at its capacity."""
        return float(self.before.max())

    @property
    def own(self) -> Array:
        """[n] the focal seat's units a round, over the whole horizon: no round, no units."""
        return self.taken[:, 0] / self.horizon

    @property
    def others(self) -> Array:
        """[n] the others' mean units a round; NaN alone."""
        count = self.people - 1
        total = self.taken.sum(1) - self.taken[:, 0]
        share = total / np.maximum(count, 1) / self.horizon
        return np.where(count > 0, share, np.nan)

    @property
    def members(self) -> Array:
        """[n, people] units a round of those present (all episodes of a row seat the same)."""
        return self.taken[:, self.present[0]] / self.horizon


def hazard(rows: list[Row]) -> Array:
    """[n, T, 2] per seed and round: over-use summed over the rows still alive, and their number.

    Their ratio, summed over seeds, is the mean over-use in round t of those who had a stock in
    round t: a class that collapsed early says nothing about late rounds, rather than "none".
    """
    over = sum(row.overuse for row in rows)
    alive = sum(1.0 * row.alive for row in rows)
    return np.stack(np.broadcast_arrays(over, alive), axis=-1)


def mean_of_rounds(x: Array, axis: int) -> Array:
    """Mean over rounds of (over-use / alive), both summed over seeds; rounds nobody saw are
    left out. x [..., n, T, 2], reduced along `axis` (the seeds)."""
    total = np.asarray(x).sum(axis=axis)
    seen = total[..., 1] > 0
    ratio = np.where(seen, total[..., 0] / np.where(seen, total[..., 1], 1.0), 0.0)
    return ratio.sum(-1) / np.maximum(seen.sum(-1), 1)


def slope(x: Array, y: Array) -> Array:
    """[n] least-squares slope of y [n, K] on x [K], seed by seed."""
    centred = np.asarray(x, np.float64) - np.mean(x)
    found: Array = (np.asarray(y) * centred).sum(-1) / (centred**2).sum()
    return found


def own_overuse(rows: list[Row], level: float = 0.95) -> Estimate:
    """The agent's own over-use, mean over rounds with a stock; the unit is the seed."""
    return bootstrap.statistic(
        hazard(rows), mean_of_rounds, level=level, bounds=(0, 1), deterministic=False
    )


def per_seed(rows: list[Row]) -> tuple[float, ...]:
    """The agent's own over-use, one value a seed."""
    return tuple(float(one) for one in mean_of_rounds(hazard(rows)[:, None], axis=1))
