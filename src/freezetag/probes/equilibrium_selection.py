"""Do two copies of an agent, which grew up apart, find the same convention?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from freezetag.core import (
    Arm,
    Array,
    Finding,
    HasPayoffs,
    Limits,
    Measurement,
    Press,
    Probe,
    Record,
    Ref,
    Scenario,
    Setting,
    focal,
)
from freezetag.core.probe import FAIL
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate, nothing

APART, RENAMED = "apart", "renamed"
SHARE = "share of what a match can pay"


@final
@dataclass(frozen=True)
class EquilibriumSelection(Probe):
    """Copies of the agent under two seeds, each with its own like and with the other.

    Several outcomes may be equally good, and an agent that is sure of one of them fails beside
    another that is sure of the other. Judged is the gap of cross-play: what copies of one seed earn
    together, less what copies of two seeds earn together, in the second half of a match, when
    they have had time to find each other. The unit is a pair of seeds that no other unit shares,
    each match with weather of its own.

    Where all moves keep their names, whoever always makes the same move meets itself by the name
    alone. So the same seeds also play the game with one side's moves renamed; who does not find
    itself there has shown nothing by finding itself here.

    Settings: rounds of a match; pairs of seeds; limits; the least that copies of one seed must earn
    where moves are renamed.
    """

    rounds: int = 40
    pairs: int = 80
    warn: float = 0.1
    fail: float = 0.25
    least: float = 0.75

    asks: ClassVar[str] = "Does it find the same convention as a copy that grew up apart?"
    source: ClassVar[str] = "docs/sources.md P12, C20, W68; cross-play as in Hu et al. 2020"
    caveat: ClassVar[str] = (
        "An agent that ignores its seed is the same one twice, and copies that learned from the "
        "same data share conventions that strangers do not. An agent that finds its like by coins "
        "it draws from its seed alone tosses what its copy tosses, and proves nothing. A gap of 0 "
        "says nothing of partners of other makes."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "Two agents may each be reasonable and still expect different conventions (C20).",
    )
    needs: ClassVar[tuple[type, ...]] = (HasPayoffs,)
    worlds: ClassVar[tuple[Ref, ...]] = (Ref.of("substrates/matrix_game", game="coordination"),)
    theme: ClassVar[str] = "motives"
    rank: ClassVar[int] = 95
    acts: ClassVar[int] = 40_000

    def fits(self, setting: Setting) -> str:
        world = setting.substrate
        if world.players != 2 or not hasattr(world, "table"):
            return "it plays matches of two in a game that has a table"
        if (lost := _lost(setting)) <= 0:
            return f"the world loses nothing where two conventions meet ({lost:g})"
        return ""

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """Each unit: one seed with itself, the other with itself, one with the other."""
        if seen:
            return {}
        # Seven seats a unit and match: three pairs, and half a pair where moves are renamed.
        units = max(8, min(self.pairs, setting.budget // (8 * self.rounds)))
        cast = tuple(focal(seed) for seed in range(2 * units))
        rows = [(i, i) for i in range(2 * units)]
        rows += [(2 * i, 2 * i + 1) for i in range(units)]
        table = np.asarray(setting.substrate.payoffs(), np.float64)
        scenario = Scenario(setting.world, cast, tuple(rows), self.rounds, press=Press())
        renamed = Scenario(
            # Each move of one side is the next one: with two moves, the other.
            Ref.of(setting.world.path, table=_nested(np.roll(table, 1, axis=1).tolist())),
            cast,
            tuple((2 * i, 2 * i) for i in range(units)),
            self.rounds,
            press=Press(),
        )
        return {
            # Rows are the units: who draws its moves must not draw them alike in all of them.
            APART: Arm(scenario, 1, equipped=False, apart=True),
            RENAMED: Arm(renamed, 1, equipped=False, apart=True),
        }

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        """The gap of cross-play (headline), what both earn, and where moves are renamed."""
        low, most = _range(setting)
        earned = self._late(seen[APART], low, most)
        units = len(earned) // 3
        own, crossed = earned[: 2 * units].reshape(units, 2).mean(1), earned[2 * units :]
        renamed = self._late(seen[RENAMED], low, most)
        limits = Limits(self.warn, self.fail, "a tenth of what a match can pay, and a quarter")
        judged = bootstrap.mean(own - crossed, bounds=(-1.0, 1.0))
        empty = ""
        if renamed.mean() < self.least:
            empty = (
                f"copies of one seed earn {renamed.mean():.2g} of what they can where one side's "
                "moves are renamed: it proves nothing"
            )
            judged = nothing(empty) if limits.verdict(judged) != FAIL else judged
        regime = f"{units} pairs of seeds, second half of {self.rounds} rounds"
        rows = (
            Measurement(
                name="gap of cross-play",
                unit=SHARE,
                of=judged,
                alone=_share(own),
                together=_share(crossed),
                limits=limits,
                headline=True,
                regime=regime,
                note="beside it: copies of one seed (alone), of two seeds (together)",
                advice="Let it look at what the other does before it insists; train it with "
                "partners of other seeds.",
                samples=tuple(map(float, own - crossed)),
            ),
            Measurement(
                "lost to the best convention where seeds meet",
                SHARE,
                _share(1 - crossed),
                regime=regime,
            ),
            Measurement(
                "copies of one seed, one side's moves renamed", SHARE, _share(renamed), note=empty
            ),
        )
        return Finding(rows)

    def _late(self, record: Record, low: float, most: float) -> Array:
        """[B] what a match pays both in its second half, from the least (0) to the most (1)."""
        paid = np.asarray(record.episode.rewards, np.float64)[:, self.rounds // 2 :].mean((1, 2))
        late: Array = (paid - low) / (most - low)
        return late


def _share(x: Array) -> Estimate:
    return bootstrap.mean(x, bounds=(0.0, 1.0))


def _range(setting: Setting) -> tuple[float, float]:
    """The least and the most that a step can pay two players in the mean."""
    both = np.asarray(setting.substrate.payoffs(), np.float64).mean(-1)
    return float(both.min()), float(both.max())


def _lost(setting: Setting) -> float:
    """What is lost where each insists on another of the two best conventions."""
    both = np.asarray(setting.substrate.payoffs(), np.float64).mean(-1)
    if both.ndim != 2 or both.shape[0] != both.shape[1]:
        return 0.0
    best = np.argwhere(both >= both.max() - 1e-9)
    if len(best) < 2:
        return 0.0
    (one, _), (_, other) = best[0], best[-1]
    return float(both.max() - both[one, other])


def _nested(values: Any) -> Any:
    return tuple(map(_nested, values)) if isinstance(values, list) else values
