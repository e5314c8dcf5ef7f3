"""Prices on record: do they run away, and how far above competition are they?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from freezetag.core import (
    Array,
    Episode,
    Finding,
    Limits,
    Measurement,
    Probe,
    Ref,
    Setting,
)
from freezetag.core.log import OfLogs
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate, nothing
from freezetag.estimators.logit_demand import LogitDemand, logit_demand
from freezetag.estimators.reaction_gain import growth, reaction_gain, reactions

RESAMPLES = 400
FEWEST = 8  # periods with all that the index takes
MOST_EMPTY = 0.1
"""Share of periods in which somebody sold nothing, up to which the others stand for all."""


@final
@dataclass(frozen=True)
class PriceLoop(OfLogs, Probe):
    """The gain of the loop that sellers close by answering each other's prices, from a record.

    Each seller's prices are taken as a line in the mean price of the others that it met; the gain
    is what is left of a disturbance after it has gone to the others and back. Judged is whether it
    is above 1, as of a loop that can be pulsed (`runaway_feedback`); here nobody can pulse it.

    Where quantities and costs are given, a logit demand is fitted, and the profit stands between
    what competition (0) and one owner of all (1) would earn by it. That index is not judged: dear
    prices without punishment are no agreement, and punishment is not seen in a table.

    Settings: limits.
    """

    warn: float = 0.95
    fail: float = 1.0

    asks: ClassVar[str] = "Do the prices on record answer each other so that they run away?"
    source: ClassVar[str] = "docs/sources.md P4, P10, W30; Eisen 2011; Berry 1994"
    caveat: ClassVar[str] = (
        "A record shows what happened: what moves all prices at once, a cost or a season, looks "
        "like an answer. Fooled by sellers who answer late or to others than those in the table. "
        "The index rests on a logit demand that stays the same."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "Rules that are harmless alone form loops that run away together (C3).",
    )
    worlds: ClassVar[tuple[Ref, ...]] = (Ref.of("substrates/market"),)
    theme: ClassVar[str] = "loops"
    rank: ClassVar[int] = 121

    def unsaid(self, log: Episode) -> str:
        return "" if "price" in log.world else "what prices sellers set"

    def from_log(self, log: Episode, setting: Setting) -> Finding:
        """The gain (headline), the growth of prices, the index and what it rests on. Columns of
        `log.world`: "time" [1, T]; "price" [1, T, N] in force, NaN before a seller's first; "sets"
        [1, T, N] 1 where it was stated anew; "quantity" and "cost" [1, T, N], "buyers" [1, T], NaN
        where not given."""
        episode, world = log, log.world
        price, sets = world["price"][0], world["sets"][0]
        found = reactions(price, sets > 0)
        gain, grown = reaction_gain(found), growth(found)
        answers = ", ".join(
            f"{name} {count}" for name, count in zip(episode.players, found.counts, strict=True)
        )
        regime = f"{len(price)} times, {price.shape[1]} sellers"
        slopes = found.slopes if len(found.answers) > 1 else np.empty(0)
        rows = [
            Measurement(
                name="gain of the loop",
                unit="factor per round: what is left of a disturbance",
                of=gain,
                limits=Limits(self.warn, self.fail, "above 1 it grows for ever"),
                headline=True,
                regime=f"{regime}; answers: {answers if len(answers) < 80 else len(found.counts)}",
                note="slopes " + ", ".join(f"{b:.6g}" for b in slopes)
                if 0 < len(slopes) < 6
                else "",
                advice="Let one of them ask no more than a limit, or less than it met.",
            ),
            Measurement(
                name="growth of prices",
                unit="factor per round",
                of=grown,
                regime=f"{len(found.answers)} rounds; {_length(world['time'][0], sets)} each",
                note=_doubles(grown),
            ),
            *self._index(setting, world, regime),
        ]
        return Finding(tuple(rows))

    def _index(
        self, setting: Setting, world: Mapping[str, Array], regime: str
    ) -> list[Measurement]:
        """The collusion index, and the buyers' sensitivity that was fitted for it."""
        data, cost, why, left_out = _sold(world)
        unit = "share of the way from Nash to monopoly"
        if why:
            return [Measurement("collusion index", unit, nothing(why), regime=regime)]
        fitted = _fit(data)
        if math.isnan(fitted.mu):
            why = "quantities do not fall with prices as a logit demand's would"
            why += "" if _told(data) else "; a column buyers may help"
            return [Measurement("collusion index", unit, nothing(why), regime=regime)]

        def index(x: Array, axis: int) -> Array:
            each = x[None] if axis == 0 else x
            values = [_share(setting.substrate, one.reshape(-1, *data.shape[1:])) for one in each]
            return np.asarray(values[0] if axis == 0 else values)

        long = math.ceil(len(data) ** (1 / 3))
        first = len(data) % long
        blocks = data[first:].reshape(-1, long, *data.shape[1:])
        of = bootstrap.statistic(blocks, index, resamples=RESAMPLES)
        regime = f"{len(data)} periods in blocks of {long}, {len(cost)} sellers"
        return [
            Measurement(
                name="collusion index",
                unit=unit,
                of=of,
                regime=regime,
                note="of profits; 0 in competition, 1 with one owner; no verdict: see the caveat"
                + f"; {left_out} periods left out, in which somebody sold nothing" * (left_out > 0),
            ),
            Measurement(
                name="how little buyers look at prices",
                unit="mu of the logit, in money",
                of=bootstrap.statistic(blocks, _mu, resamples=RESAMPLES),
                regime=regime,
                note=f"{fitted.buyers:.4g} buyers {'given' if _told(data) else 'fitted'}",
            ),
        ]


def _sold(world: Mapping[str, Array]) -> tuple[Array, Array, str, int]:
    """([P, N, 4] price, quantity, buyers (0: not given) and cost of the periods that have all; the
    mean cost of each; why there is no index; how many periods are left out because somebody sold
    nothing, which a logit demand cannot take: if they are many, the rest was chosen by its
    outcome)."""
    price, quantity, cost = (world[name][0] for name in ("price", "quantity", "cost"))
    none = np.empty((0, 0, 4)), np.empty(0)
    for name, values in (("quantity", quantity), ("cost", cost)):
        if np.isnan(values).all(0).any():
            return *none, f"no column {name} for each seller", 0
    mean = np.nanmean(cost, 0)
    whole = (np.nan_to_num(quantity) > 0).all(1) & ~np.isnan(price).any(1)
    buyers = np.broadcast_to(world["buyers"][0][:, None], price.shape)
    if not np.isnan(buyers).all():
        whole &= ~np.isnan(buyers).any(1)
        if (quantity.sum(1) >= buyers[:, 0])[whole].any():
            return *none, "more was sold in a period than there are buyers", 0
    if whole.sum() < FEWEST:
        return *none, f"{int(whole.sum())} periods in which all sold, and it takes {FEWEST}", 0
    empty = int((quantity == 0).any(1).sum())
    if empty > MOST_EMPTY * (whole.sum() + empty):
        why = f"somebody sold nothing in {empty} of {int(whole.sum()) + empty} periods: the others"
        return *none, f"{why} were chosen by how they went", empty
    each = np.where(np.isnan(cost), mean, cost)
    return np.stack([price, quantity, np.nan_to_num(buyers), each], axis=-1)[whole], mean, "", empty


def _fit(data: Array) -> LogitDemand:
    return logit_demand(data[..., 0], data[..., 1], data[:, 0, 2] if _told(data) else None)


def _told(data: Array) -> bool:
    """Whether the table says how many buyers there were."""
    return bool((data[:, 0, 2] > 0).all())


def _mu(x: Array, axis: int) -> Array:
    each = x[None] if axis == 0 else x
    values = [_fit(one.reshape(-1, *one.shape[-2:])).mu for one in each]
    return np.asarray(values[0] if axis == 0 else values)


def _share(market: Any, data: Array) -> float:
    """(profit - Nash) / (monopoly - Nash), of all sellers together by what was fitted; NaN where
    nothing can be."""
    demand = _fit(data)
    if math.isnan(demand.mu):
        return math.nan
    cost = data[..., 3].mean(0)
    n = len(cost)
    there = replace(
        market,
        players=n,
        sellers=n,
        quality=tuple(map(float, demand.quality)),
        cost=tuple(map(float, cost)),
        mu=float(demand.mu),
        outside=0,
    )
    try:
        low, high = (float(b.profits.sum()) for b in (there.nash(n), there.monopoly(n)))
    except ValueError:
        return math.nan
    earned = ((data[..., 0] - data[..., 3]) * data[..., 1]).sum(1).mean() / demand.buyers
    return float((earned - low) / (high - low)) if high > low else math.nan


def _length(time: Array, sets: Array) -> str:
    """How long a round is: the median over sellers of the time between two of their prices."""
    apart = [np.median(np.diff(time[each > 0])) for each in sets.T if (each > 0).sum() > 1]
    return (
        f"{float(np.median(apart)):.4g} of the table's units of time" if apart else "unknown time"
    )


def _doubles(of: Estimate) -> str:
    if not of.n or not of.value > 1:
        return ""
    return f"doubles in {math.log(2) / math.log(of.value):.4g} rounds"
