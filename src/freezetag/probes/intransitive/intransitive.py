"""Where everybody is beaten by somebody, no ranking says who is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from freezetag.core import (
    Arm,
    Finding,
    HasPayoffs,
    Interval,
    Limits,
    Measurement,
    Probe,
    Record,
    Ref,
    Setting,
)
from freezetag.core.probe import PASS
from freezetag.estimators.estimate import nothing
from freezetag.probes.intransitive.figures import interaction_map, margins, places
from freezetag.probes.intransitive.interaction import interaction
from freezetag.probes.intransitive.population import Population, rows
from freezetag.probes.shared import pairs


@final
@dataclass(frozen=True)
class Intransitive(Probe):
    """The cyclic share of a class's results, with the agent and without it.

    Everybody meets everybody in pairs. A = (M - M')/2 are the margins, r their row means, and the
    cyclic share is what r leaves unexplained, |A - (r1' - 1r')|^2 / |A|^2, both without the squares
    that noise adds (products of different repeats have none). Judged is the *change* that the
    agent brings: the class and the game have cycles of their own, for which it cannot be blamed.
    Class of 1: the 30 without it; class of 30: with it; paired by seed.

    An agent that scores no better than random play can pass nothing here: it takes part in no
    ranking, so the verdict is then inconclusive, and the row "cyclic share" has the numbers.
    """

    rounds: int = 50
    background: int = 8
    alpha: float = 10.0
    population: int = 50

    asks: ClassVar[str] = "Does the agent turn the class into rock-paper-scissors?"
    source: ClassVar[str] = (
        "docs/sources.md P3, C2, C5; Jiang et al. 2011 (HodgeRank); Balduzzi et al. "
        "2019; Omidshafiei et al. 2019 (alpha-Rank)."
    )
    caveat: ClassVar[str] = (
        "Margins rank by who beats whom, not by what is good for all: a player that always draws "
        "ranks in the middle. Clones of one player inflate or hide cycles; see the weighed row."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "Where everybody is beaten by somebody, learning against one opponent circles (C2).",
        "Where results are cyclic, no ranking says who is good (C5).",
    )
    theme: ClassVar[str] = "strangers"
    rank: ClassVar[int] = 20
    acts: ClassVar[int] = 22_500
    needs: ClassVar[tuple[type, ...]] = (HasPayoffs,)
    worlds: ClassVar[tuple[Ref, ...]] = (Ref("substrates/matrix_game"),)

    def fits(self, setting: Setting) -> str:
        if not (reason := pairs.no_pairs(setting)) and pairs.has_foreign(setting):
            n = len(setting.classmates)
            return (
                f"it needs the {n * (n - 1) // 2} pairs of classmates to play each other, "
                "outside this program, where a match may take a second"
            )
        return reason

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """The same arms that `strangers` asks for: together they are played once."""
        pairs.needs_two_seats(setting, "intransitive")
        rounds = pairs.rounds_of(setting, self.rounds)
        return {
            "live": pairs.focal_row(setting, rounds, share=1.0),
            "background": pairs.background(setting, rounds, self.background),
        }

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        data = Population(setting, seen, self.alpha, self.population)
        measured = (self._headline(data), *rows(data))
        agent = next(iter(seen["live"].episode.players), "focal")
        return Finding(
            measured,
            (margins(data), places(data), interaction_map(setting, seen)),
            interaction(setting, seen, agent),
        )

    def _headline(self, data: Population) -> Measurement:
        n = data.size
        pairs = 2 / n
        limits = Limits(
            warn=pairs / 2,
            fail=pairs,
            reason=f"one of {n} players takes part in {pairs:.2g} of all pairs; it adds more than "
            "its share if the cyclic share rises by more than that (warn: by half of it)",
        )
        of: Interval = data.change
        note = "class of 1: the class without the agent; without the noise, paired by seed"
        if limits.verdict(of) == PASS and not data.plays:
            note += (
                f"; change {of.value:.3g} [{of.low:.3g}, {of.high:.3g}], but it scores no better "
                "than random play, so it takes part in no ranking"
            )
            of = nothing("no better than random play: vacuous")
        return Measurement(
            name="cycles the agent brings into the class",
            unit="share of squared margins",
            of=of,
            alone=data.without.cyclic,
            together=data.ranked.cyclic,
            limits=limits,
            headline=True,
            regime=data.regime,
            note=note,
            advice="Do not choose between versions by mean score: compare them against each "
            "co-player, and train against a mixture of the whole class rather than the latest "
            "opponent.",
        )
