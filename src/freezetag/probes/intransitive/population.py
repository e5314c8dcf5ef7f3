"""What `intransitive` computes from a population's matches: the split, ranks, and their rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from freezetag.core import Array, Measurement, Record, Setting
from freezetag.estimators import bootstrap, ranking
from freezetag.estimators.alpha_rank import single_population
from freezetag.estimators.estimate import Estimate
from freezetag.probes.intransitive.interaction import full_matrix
from freezetag.probes.shared import pairs

RESAMPLES = 400
RANKED = 100
"""Resamples of alpha-Rank, each of which solves a Markov chain."""


class Population:
    """Matches of the focal agent (index 0) and its classmates, split and resampled.

    Resamples draw repeats (seeds), never cells: matches of one seed share their weather.
    """

    def __init__(
        self, setting: Setting, seen: Mapping[Any, Record], alpha: float, population: int
    ) -> None:
        factor, self.unit = pairs.scale_of(setting)
        self.names = ["focal", *(who.name for who in setting.classmates)]
        self.matches = factor * full_matrix(setting, seen)
        self.size, self.repeats = len(self.names), len(self.matches)
        self.mean = self.matches.mean(0)
        # Rows of the background beyond the pairs of classmates are anchors of `strangers`.
        others = seen["background"].sure(slice(math.comb(self.size - 1, 2)))
        self.certain = others and seen["live"].sure()
        self.ranked = ranking.ranking(self.matches, deterministic=self.certain)
        self.without = ranking.ranking(self.matches[:, 1:, 1:], deterministic=others)
        self.change = ranking.cyclic_change(
            self.matches, deterministic=self.certain, others_deterministic=others
        )
        self.draws = self._resampled()
        self.alpha, self.population = alpha, population
        self.law = self._law(self.mean)
        self.plays = self._better_than_random(setting, seen, factor)
        rounds = seen["live"].arm.scenario.horizon
        self.regime = f"{rounds} rounds, {self.size} players, each pair {self.repeats} times"

    def _resampled(self) -> Array:
        """[B, n, n] mean matrices; [0, n, n] from a single repeat, which has no resamples."""
        r = self.repeats
        if r < 2:
            return np.empty((0, self.size, self.size))
        rng = np.random.default_rng([bootstrap.SEED, r, self.size])
        share = rng.multinomial(r, np.full(r, 1 / r), size=RESAMPLES) / r
        means = (share @ self.matches.reshape(r, -1)).reshape(-1, self.size, self.size)
        # A resampled mean varies (R-1)/R of what a fresh one would.
        return np.asarray(self.mean + (means - self.mean) * math.sqrt(r / (r - 1)))

    def _law(self, payoffs: Array) -> Array:
        return single_population(payoffs, alpha=self.alpha / self.spread, m=self.population).law

    @property
    def spread(self) -> float:
        """The greatest margin: alpha-Rank's alpha is per this, so that units do not matter."""
        return float(np.abs(ranking.antisymmetric(self.mean)).max()) or 1.0

    def _better_than_random(
        self, setting: Setting, seen: Mapping[Any, Record], factor: float
    ) -> bool:
        """Whether the agent's mean score is above random play's, by its whole interval."""
        own = factor * pairs.match_returns(seen["live"]).mean(1)
        known, sure = pairs.random_value(setting), seen["live"].sure()
        if known is not None:
            low, high = (factor * (end - known) for end in pairs.own_range(setting))
            over = own - factor * known
            return bootstrap.mean(over, bounds=(low, high), deterministic=sure).low > 0
        if not pairs.anchored_by_search(setting):
            return False
        bottom, _ = pairs.anchors([seen["background"]], len(setting.classmates))
        shared = min(len(own), len(bottom))
        return bootstrap.paired(own[:shared], factor * bottom[:shared].mean(1)).low > 0

    def spread_of(self, value: float, draws: Array, low: float, high: float) -> Estimate:
        """A statistic in a range with the bootstrap interval of its resamples."""
        if not len(draws):
            return Estimate(value, low, high, 1, "none", note="one repeat")
        return bootstrap.bca(
            value, draws, np.empty(0), self.repeats,
            bounds=(low, high), deterministic=self.certain,
        )  # fmt: skip


def rows(data: Population) -> list[Measurement]:
    """The rows without limits: they describe the class and the agent's place in it."""
    ranked, margins = data.ranked, ranking.antisymmetric(data.draws)

    def row(name: str, unit: str, of: Estimate, note: str = "") -> Measurement:
        return Measurement(name, unit, of, regime=data.regime, note=note)

    top = data.names[ranked.order[0]] if ranked.order else "nobody"
    places = (
        1 + (ranking.ratings(margins)[:, 1:] > ranking.ratings(margins)[:, :1]).sum(1).astype(float)
        if len(margins)
        else np.empty(0)
    )
    cycles = np.array([ranking.three_cycles(a)[0] for a in margins], float)
    through = np.array([through_focal(a) for a in margins], float)
    mean = ranking.antisymmetric(data.mean)
    mass = np.array([data._law(m)[0] for m in data.draws[:RANKED]])
    weights = ranking.clone_weights(data.mean, tolerance=_noise(data))
    weighed = ranking.ranking(data.matches, weights=weights, deterministic=data.certain)
    stays = f", first in {ranked.top_stays:.0%} of resamples" if len(margins) else ""
    return [
        row("cyclic share of the class", "share of squared margins", ranked.cyclic,
            f"before the correction for noise {ranked.share:.3g}"),
        row("cyclic share, clones weighed as one", "share of squared margins", weighed.cyclic,
            f"effective diversity {ranking.effective_diversity(data.mean):.3g} {data.unit}"),
        row("3-cycles in the class", f"of {ranked.triples} triples",
            data.spread_of(float(ranked.cycles), cycles, 0, ranked.triples),
            "draws make none; noise makes some"),
        row("3-cycles through the agent", f"of {math.comb(data.size - 1, 2)} triples",
            data.spread_of(float(through_focal(mean)), through, 0, math.comb(data.size - 1, 2)),
            _its_cycles(data, mean)),
        row("the agent's place by mean margin", f"of {data.size}",
            data.spread_of(1.0 + ranked.order.index(0), places, 1, data.size),
            f"top: {top}{stays}"),
        row("the agent's alpha-Rank mass", "share of time",
            data.spread_of(float(data.law[0]), mass, 0, 1),
            f"alpha {data.alpha:g} per greatest margin, m = {data.population}; most: "
            f"{data.names[int(data.law.argmax())]} {data.law.max():.2f}"),
    ]  # fmt: skip


def through_focal(a: Array) -> int:
    """3-cycles through player 0: it beats i, i beats k, k beats it."""
    beats = (a > 0).astype(np.int64)
    return int(beats[0] @ beats @ beats[:, 0])


def _noise(data: Population) -> float:
    """Twice the greatest standard error of a margin, relative to the greatest margin."""
    if data.repeats < 2:
        return 1e-9
    a = ranking.antisymmetric(data.matches)
    return max(1e-9, 2 * float(a.std(0, ddof=1).max()) / math.sqrt(data.repeats) / data.spread)


def _its_cycles(data: Population, a: Array) -> str:
    """The cycle through the agent whose weakest link is strongest."""
    weakest = np.minimum(np.minimum(a[0][:, None], a), a[:, 0][None, :])
    i, k = np.unravel_index(int(weakest.argmax()), weakest.shape)
    if weakest[i, k] <= 0:
        return "it is in no cycle"
    return f"clearest: it beats {data.names[i]}, which beats {data.names[k]}, which beats it"
