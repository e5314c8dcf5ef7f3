"""An agent that does well among those it knows may not among strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from freezetag.core import (
    Arm,
    Finding,
    HasPayoffs,
    Limits,
    Measurement,
    Probe,
    Record,
    Ref,
    Setting,
    Tape,
)
from freezetag.estimators.estimate import Estimate, join_notes
from freezetag.probes.shared import looks, pairs
from freezetag.probes.shared.looks import Looks
from freezetag.probes.shared.tilt import worst_mix_estimate
from freezetag.probes.strangers.figures import kappa_figure, sizes, strip
from freezetag.probes.strangers.returns import (
    Returns,
    curve_rows,
    deaf_row,
    gap_rows,
    rational_row,
    size_row,
)

BLOCKS = 8
"""Blocks of seeds at most."""
SHARE = 0.1125
"""Of the budget: one block; eight of them and a tape of two thirds of one are .975."""
NO_DEAF = "no tape: the budget allows no two repeats of it"


@final
@dataclass(frozen=True)
class Strangers(Probe):
    """V(kappa): the mean return in the worst mix of co-players within kappa nats of the class.

    The agent meets every classmate in pairs. The headline is V(`judged`) anchored: 0 is what
    random play keeps in *its* worst mix, 1 what the best known response to each classmate keeps.
    That, and not the worst of many noisy means, is what a reviewer can plan with: nobody knows
    the mix the agent will meet, and exp(kappa) bounds how much likelier a stranger may be there.
    Class of 1: the co-players replay a tape of another match, deaf to the agent.

    `held-out gap`: return against the other families less return against one family. The agent
    was trained by somebody else, so no family is known to be strange to it; each is tried in
    turn. Worst ones are chosen on one half of the repeats and measured on the other.

    It goes on in blocks of seeds until the headline's verdict is certain (`shared.looks`).

    Rational curve: only co-players that got at least half of the best that any classmate got
    against this agent, over the game's least payoff. That best is a lower bound on a best
    response's, so the curve keeps some that a stricter count would drop.
    """

    rounds: int = 50
    judged: float = 0.5
    warn: float = 0.25
    fail: float = 0.0
    background: int = 8

    asks: ClassVar[str] = "How low does the return fall if the class is not the one we thought?"
    source: ClassVar[str] = (
        "docs/sources.md P1, C1, C4, C5; Hu & Hong 2013 (KL-constrained worst case); "
        "Lanctot et al. 2023 (repeated rock-paper-scissors population); Maurer & Pontil 2009."
    )
    caveat: ClassVar[str] = (
        "Only mixes of the co-players that were met: a stranger unlike all of them is not covered, "
        "and an agent that recognises slots or names can look robust."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "Who does well among the players it was trained with may do badly among strangers (C1).",
        "How badly depends on how far strangers may plausibly be from the known class (C4).",
        "A class of a few co-players shows less of it than a class of thirty (C5).",
    )
    theme: ClassVar[str] = "strangers"
    rank: ClassVar[int] = 10
    acts: ClassVar[int] = 200_000
    needs: ClassVar[tuple[type, ...]] = (HasPayoffs,)
    worlds: ClassVar[tuple[Ref, ...]] = (Ref("substrates/matrix_game"),)

    def fits(self, setting: Setting) -> str:
        return pairs.no_pairs(setting)

    def cost(self, setting: Setting) -> int:
        """Where matches are long, as among bots from outside: four repeats with everybody."""
        rounds = pairs.rounds_of(setting, self.rounds)
        return max(self.acts, 4 * len(setting.classmates) * rounds)

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """Blocks of live matches, and the first one's co-players as tapes; anchors cost no focal
        acts."""
        pairs.needs_two_seats(setting, "strangers")
        rounds = pairs.rounds_of(setting, self.rounds)
        live = pairs.focal_row(setting, rounds, SHARE)
        plan, done = self._looks(setting, live), len(looks.blocks(seen, "live"))
        decided = done > 0 and looks.certain(*self._judged(Returns(setting, seen), plan))
        arms: dict[Any, Arm] = {}
        for block in range(plan.wanted(done, decided)):
            row = replace(live, block=block)
            arms[looks.key("live", block)] = row
            if pairs.anchored_by_search(setting):
                played = pairs.background(setting, rounds, self.background, block)
                arms[looks.key("background", block)] = played
            elif pairs.random_value(setting) is None:
                cast = (Ref("players/baselines/random_play"), *setting.classmates)
                arms[looks.key("random", block)] = replace(
                    row, scenario=replace(row.scenario, cast=cast)
                )
        if "live" in seen:
            left = setting.budget - plan.most * live.episodes * rounds
            repeats = min(live.repeats, left // (len(setting.classmates) * rounds))
            if repeats >= 2:
                arms["tape"] = _deaf(live, repeats)
        return arms

    def _looks(self, setting: Setting, live: Arm) -> Looks:
        """As many blocks as the budget buys, with a tape of the first one's length."""
        acts = live.episodes * live.scenario.horizon
        return Looks.within(setting.budget - acts // 2, acts, BLOCKS)

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        data = Returns(setting, seen)
        plan = self._looks(setting, seen["live"].arm)
        rows = (
            self._headline(data, plan, len(looks.blocks(seen, "live"))),
            *curve_rows(data),
            *rational_row(data, self.judged),
            *gap_rows(data),
            *deaf_row(data),
            *size_row(data),
        )
        return Finding(
            rows, (strip(data), kappa_figure(data, self.judged), sizes(data, self.judged))
        )

    def _judged(self, data: Returns, plan: Looks) -> tuple[Limits, Estimate]:
        """The limits and what they judge, at the level of one look."""
        # Without a best known response 1 is out of reach, and only 0 means something.
        warn = self.warn if data.searched else self.fail
        reason = (
            f"{self.fail:g}: in its worst mix within {self.judged:g} nats the agent keeps no more "
            "than random play does in its own"
        )
        if data.searched:
            reason += f"; {self.warn:g}: that share of the way to the best known response"
        limits = Limits(warn=warn, fail=self.fail, reason=reason, harm="below")
        of = worst_mix_estimate(
            data.live, self.judged, data.bottom, data.top, level=plan.level, bounds=data.range
        )
        return limits, of

    def _headline(self, data: Returns, plan: Looks, done: int) -> Measurement:
        limits, one_look = self._judged(data, plan)
        score = plan.joint(one_look)
        if not score.n:
            return self._vacuous(data, score)
        block = f"{len(data.live) // done} repeats"
        deaf = None
        if data.tape is not None:
            deaf = worst_mix_estimate(
                data.tape, self.judged, data.bottom, data.top, bounds=data.range
            )
        return Measurement(
            name=f"score kept in the worst mix, kappa {self.judged:g}",
            unit="0 random play, 1 best known",
            of=score,
            alone=deaf,
            together=score,
            limits=limits,
            headline=True,
            regime=data.regime,
            note=join_notes(
                data.anchor_note,
                "class of 1: co-players replay a tape of another match" if deaf else NO_DEAF,
                plan.note(done, block),
            ),
            advice="Give it a sane fallback for co-players it does not recognise, and train it "
            f"against those it does worst with: {', '.join(data.worst_names())}.",
        )

    def _vacuous(self, data: Returns, of: Estimate) -> Measurement:
        """Where random play keeps as much as the best known response, no score means anything."""
        return Measurement(
            name=f"score kept in the worst mix, kappa {self.judged:g}",
            unit="0 random play, 1 best known",
            of=of,
            headline=True,
            regime=data.regime,
            note=f"{data.anchor_note}. Here both keep the same: nothing can be won or lost",
        )


def _deaf(live: Arm, repeats: int) -> Arm:
    """Seat 1 replays what it did in the next repeat of the live match, whoever sits there."""
    rows = live.scenario.seating
    scenario = replace(
        live.scenario,
        cast=(live.scenario.cast[0], Ref("players/baselines/idle")),
        seating=((0, 1),) * len(rows),
        treatments=(Tape("live", (1,), "other_seed"),),
    )
    return replace(live, scenario=scenario, repeats=repeats)
