"""What `strangers` computes from its records: returns, and the rows of the card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from freezetag.core import Array, Measurement, Record, Setting, spread
from freezetag.estimators import bootstrap, robustness
from freezetag.estimators.estimate import Estimate, exact, nothing
from freezetag.estimators.robustness import KAPPAS, curve, cvar
from freezetag.probes.shared import looks, pairs
from freezetag.probes.shared.tilt import worst_mix_estimate

QUICK = 500
"""Resamples for rows that no limit judges."""


class Returns:
    """Returns by repeat and co-player, in printed units."""

    def __init__(self, setting: Setting, seen: Mapping[Any, Record]) -> None:
        factor, self.unit = pairs.scale_of(setting)
        low, high = pairs.own_range(setting)
        n = len(setting.classmates)
        lives = looks.blocks(seen, "live")
        self.live = factor * np.concatenate([pairs.match_returns(one) for one in lives])
        self.theirs = factor * np.concatenate([pairs.match_returns(one, 1) for one in lives])
        self.tape = factor * pairs.match_returns(seen["tape"]) if "tape" in seen else None
        self.sure = all(one.sure() for one in lives)
        self.tape_sure = "tape" in seen and seen["tape"].sure()
        self.range = factor * low, factor * high
        self.names = [who.name for who in setting.classmates]
        self.families = [who.family for who in setting.classmates]
        self.searched = "background" in seen
        self.bottom: Array
        self.top: Array
        if self.searched:
            bottom, top = pairs.anchors(looks.blocks(seen, "background"), n)
            self.bottom, self.top = factor * bottom, factor * top
            self.anchor_note = (
                "0: random play; 1: the best of 32 deterministic memory-one players against each "
                "co-player, for each repeat chosen on all the others"
            )
        else:
            self.top = np.full((1, n), factor * high)
            known = pairs.random_value(setting)
            if known is not None:
                self.bottom = np.full((1, n), factor * known)
            else:
                played = [pairs.match_returns(one) for one in looks.blocks(seen, "random")]
                self.bottom = factor * np.concatenate(played)
            self.anchor_note = (
                "0: random play; 1: the game's greatest payoff, which no response need reach"
            )
        rounds = seen["live"].arm.scenario.horizon
        noise = getattr(setting.substrate, "noise", 0.0)
        self.regime = f"{rounds} rounds, {f'noise {noise:g}' if noise else 'no noise'}, fixed end"

    @cached_property
    def plain(self) -> dict[float, Estimate]:
        """V(kappa) as it is, without anchors."""
        return {k: self.worst_mix(self.live, k) for k in KAPPAS}

    def worst_mix(self, live: Array, kappa: float) -> Estimate:
        """V(kappa) in printed units, for rows that no limit judges."""
        return worst_mix_estimate(
            live, kappa, bounds=self.range, deterministic=self.sure, resamples=QUICK
        )

    def mean_gap(self, values: Array, sure: bool = True) -> Estimate:
        """The mean of differences of returns; `sure` as far as the others in it are concerned."""
        width = self.range[1] - self.range[0]
        return bootstrap.mean(values, bounds=(-width, width), deterministic=self.sure and sure)

    @property
    def mean(self) -> Array:
        return self.live.mean(0)

    def worst_names(self, count: int = 3) -> list[str]:
        return [self.names[j] for j in np.argsort(self.mean, kind="stable")[:count]]

    def halves(self) -> tuple[Array, Array]:
        """One half of the repeats to choose on, the other to measure on."""
        return (self.live[0::2], self.live[1::2]) if len(self.live) > 1 else (self.live, self.live)


def guaranteed(data: Returns, keep: Array | slice = slice(None)) -> list[Estimate]:
    """V with bounds for all kappa at once. n is the repeats, not the matches: those of one repeat
    share their weather, which costs the bounds nothing, as they add up over co-players."""
    low, high = data.range
    if low == high:
        note = "all payoffs of the game are one"
        return [exact(low, len(data.live), note=note) for _ in KAPPAS]
    return [replace(one, n=len(data.live)) for one in curve(list(data.live.T[keep]), low, high)]


def curve_rows(data: Returns) -> list[Measurement]:
    rows = []
    for kappa, sure in zip(KAPPAS, guaranteed(data), strict=True):
        if math.isinf(kappa):
            of, note = sure, f"worst met: {data.worst_names(1)[0]}"
        else:
            of = data.plain[kappa]
            note = f"for all kappa at once (empirical Bernstein): {sure.low:.4g} to {sure.high:.4g}"
        rows.append(row(f"V({nats(kappa)})", data, of, note))
    return rows


def rational_row(data: Returns, kappa: float) -> list[Measurement]:
    keep = rational_ones(data)
    note = (
        f"{int(keep.sum())} of {len(keep)} co-players got at least half of the best that any "
        "classmate got against this agent"
    )
    of = data.worst_mix(data.live[:, keep], kappa)
    return [row(f"V({nats(kappa)}), rational co-players", data, of, note)]


def rational_ones(data: Returns) -> Array:
    own = data.theirs.mean(0)
    return robustness.rational(own, np.full(len(own), own.max()), floor=data.range[0])


def gap_rows(data: Returns) -> list[Measurement]:
    choose, measure = data.halves()
    rows = []
    families = sorted(set(data.families))
    if len(families) > 1:
        member = np.array([[f == family for f in data.families] for family in families])
        weight = (~member) / (~member).sum(1, keepdims=True) - member / member.sum(1, keepdims=True)
        worst = int((choose.mean(0) @ weight.T).argmax())
        of = data.mean_gap(measure @ weight[worst])
        note = f"worst family: {families[worst]}, chosen on the other half of the repeats"
        rows.append(row("held-out gap, worst family", data, of, note))
        of = data.mean_gap((data.live @ weight.T).mean(1))
        rows.append(row("held-out gap, mean of families", data, of, f"{len(families)} families"))
    else:
        why = f"all co-players are of one family, {families[0]}: none can be held out"
        rows.append(row("held-out gap, worst family", data, nothing(why), "it takes two families"))
    worst_ones = np.argsort(choose.mean(0), kind="stable")[: max(1, round(len(data.names) / 10))]
    of = data.mean_gap(measure.mean(1) - measure[:, worst_ones].mean(1))
    names = ", ".join(data.names[j] for j in worst_ones)
    note = f"mean less CVaR10 ({cvar(data.mean):.4g}); the worst tenth, chosen on half: {names}"
    rows.append(row("gap to the worst tenth of co-players", data, of, note))
    return rows


def deaf_row(data: Returns) -> list[Measurement]:
    if data.tape is None:
        return []
    shared = min(len(data.live), len(data.tape))
    live, tape = data.live[:shared].mean(1), data.tape[:shared].mean(1)
    found = row(
        "what it gains by co-players that react", data, data.mean_gap(live - tape, data.tape_sure),
        "live co-players less their tapes, paired by seed; below 0: their reactions cost it",
    )  # fmt: skip
    return [
        replace(
            found,
            alone=bootstrap.mean(tape, bounds=data.range, deterministic=data.tape_sure),
            together=bootstrap.mean(live, bounds=data.range, deterministic=data.sure),
            samples=tuple(float(one) for one in live - tape),
        )
    ]


def size_row(data: Returns) -> list[Measurement]:
    total = len(data.names)
    small = list(spread(total, min(10, total)))
    units = np.stack([data.live[:, small].mean(1), data.live.mean(1)], 1)
    return [
        row(
            f"mean return, {total} co-players less {len(small)}", data,
            data.mean_gap(units[:, 1] - units[:, 0]),
            "far from 0: ten co-players are too few to know this agent by (C5)",
        )
    ]  # fmt: skip


def row(name: str, data: Returns, of: Estimate, note: str) -> Measurement:
    regime = f"{data.regime}; {looks.LOOKED}"
    return Measurement(name, data.unit, of, regime=regime, note=note)


def nats(kappa: float) -> str:
    return "inf" if math.isinf(kappa) else f"{kappa:g}"
