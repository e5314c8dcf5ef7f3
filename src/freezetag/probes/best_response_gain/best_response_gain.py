"""What a best response to the agent gains, at the agent's expense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from freezetag.core import (
    Arm,
    Array,
    Figure,
    Finding,
    HasPayoffs,
    Limits,
    Measurement,
    Probe,
    Record,
    Ref,
    Setting,
)
from freezetag.core.probe import FAIL, WARN
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate, exact, nothing
from freezetag.probes.best_response_gain import exploiters, hunt
from freezetag.probes.best_response_gain.taking import Taking, best_plan, focal_acts, taking
from freezetag.probes.shared import pairs

STEP = "utility per step"
UNIT = "share of what is at stake in one move"
ADVICE = (
    "Answer a defection within a move or two, at every time and after every history. If it fails "
    "by the clock, look for steps at which the agent does not look; if it fails against constant "
    "defection, set a limit to what it gives away."
)


@final
@dataclass(frozen=True)
class BestResponseGain(Probe):
    """How much can be taken from the agent by whoever studies it.

    An exploiter sits in seat 1 beside the agent S in seat 0. What it *takes* is the smaller of two
    differences, per step and paired by seed with the match of S with itself: what the exploiter
    gains on that match, and what S loses on it. (To teach S to cooperate gains much, from
    nobody.) It is divided by what is at stake in one move: the most that one's own move can change
    one's own pay (2 where T, R, P, S = 5, 3, 1, 0). So 0 is "as with itself", and 1 is what
    constant defection takes from an unconditional cooperator.

    Two searches. (1) Every sequence of moves of a few rounds, each played twice on different
    seeds. If S answered both times alike throughout, it is a function of the moves so far, and no
    opponent, whatever it knows, does better in a match of that length: that is exact, and may
    pass. (2) In matches of `rounds` rounds a pool of scripted exploiters, many by the clock, a
    Q-learner and a cross-entropy search among memory-one strategies, chosen on one block of seeds
    and measured on another. That is a lower bound: it may fail an agent, never pass it.

    The headline is the one that shows more harm, (2) if both show as much; where neither shows any
    it is (1) if it is exact, else (2), then inconclusive. A copy of S takes 0, so the best
    exploiter takes no less: where all that were tried take less, the row says so.
    "Class of 30" is the exploiter live, "class of 1" the same as a tape of its moves against S on
    another seed, deaf to S. Judged is the live level, not the contrast: an agent that can be
    robbed blindly is no better off than one that can be robbed by watching it.
    """

    rounds: int = 50
    warn: float = 0.02
    fail: float = 0.05

    asks: ClassVar[str] = "What does a best response to the agent take from it?"
    source: ClassVar[str] = (
        "Best response and NashConv: Lanctot et al. 2017; extortion: Press and Dyson 2012; "
        "cross-entropy method: Rubinstein and Kroese 2004; docs/sources.md P2"
    )
    caveat: ClassVar[str] = (
        "An agent passes by its answers in the enumerated first rounds. A blind spot after them "
        "that no search reaches stays hidden and passes: an agent that cooperates in every 13th "
        "round, whatever was done to it, did. Measured in pairs; every match starts afresh."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "Whoever studies an agent can learn to take from it (C2).",
        "Agents that give without condition are exploited (C18).",
        "Agents that learned from a competitive past may themselves have such holes (C24).",
    )
    theme: ClassVar[str] = "strangers"
    rank: ClassVar[int] = 30
    acts: ClassVar[int] = 38_000
    needs: ClassVar[tuple[type, ...]] = (HasPayoffs,)
    worlds: ClassVar[tuple[Ref, ...]] = (Ref("substrates/matrix_game"),)

    def fits(self, setting: Setting) -> str:
        if setting.substrate.players != 2:
            return f"it is measured in pairs; this world has {setting.substrate.players} seats"
        return pairs.no_dilemma(setting)

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        if setting.substrate.players != 2:
            return {}
        plan = hunt.plan_of(setting, self.rounds)
        arms = hunt.first_arms(setting, plan)
        if "mirror" not in seen:
            return arms
        for number in range(plan.generations):
            _, candidates = hunt.generations(seen, plan, number)
            others = [exploiters.memory_one(one, plan.horizon) for one in candidates]
            arms[f"search {number}"] = hunt.against(setting, plan, others)
            if f"search {number}" not in seen:
                return arms
        return arms | hunt.last_arms(setting, seen, plan)

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        if setting.substrate.players != 2:
            reason = f"measured in pairs; this world has {setting.substrate.players} seats"
            row = Measurement("taken by the best exploiter", UNIT, nothing(reason), headline=True)
            return Finding((row,))
        plan, stake = hunt.plan_of(setting, self.rounds), _stake(setting)
        found = hunt.chosen(setting, seen, plan)
        live, deaf = _fresh(seen, list(found), hunt.best_of(found))
        width = _width(setting)

        def mean(values: Array, *arms: str) -> Estimate:
            sure = all(seen[arm].sure() for arm in (*arms, "mirror, fresh"))
            return bootstrap.mean(values, bounds=(-width, width), deterministic=sure)

        def arm(name: str) -> str:
            return "q live" if name == hunt.Q else "live"

        takes = {name: mean(one.taken, arm(name)).scaled(1 / stake) for name, one in live.items()}
        tape = mean(deaf.taken, "taped").scaled(1 / stake)
        best, where = live[hunt.best_of(found)], arm(hunt.best_of(found))
        searched = self._searched(setting, seen, plan, takes, tape, stake)
        if searched.of is takes[hunt.best_of(found)]:
            searched = replace(searched, samples=_samples(best.taken / stake))
        enumerated = self._enumerated(seen, plan, stake)
        # What harms more leads; what harms neither way is judged by the exact one, if it is.
        harm = {WARN: 1, FAIL: 2}
        ranks = [harm.get(one.verdict, 0) for one in (enumerated, searched)]
        exact_leads = bool(enumerated.of.n) and (ranks[0] > ranks[1] or not any(ranks))
        head, second = (enumerated, searched) if exact_leads else (searched, enumerated)
        rows = (
            replace(head, headline=True),
            second,
            Measurement(
                "gain of that exploiter", STEP, mean(best.gain, where),
                samples=_samples(best.gain),
            ),
            Measurement(
                "loss of the agent to it", STEP, mean(best.loss, where),
                samples=_samples(best.loss),
            ),
        )  # fmt: skip
        limit = self._limits(plan.horizon).fail
        bars = _bars(takes, hunt.best_of(found), tape, limit)
        return Finding(rows, (bars, _curve(seen, plan, stake)))

    def _limits(self, rounds: int) -> Limits:
        """What may be taken in a match of `rounds` rounds."""
        return Limits(
            self.warn + 1 / rounds,
            self.fail + 1 / rounds,
            f"{self.warn:.0%} and {self.fail:.0%} of a move's stake a step (every 50th and every "
            f"20th move), plus 1/{rounds}: nobody can answer the last move of a match",
        )

    def _searched(
        self,
        setting: Setting,
        seen: Mapping[Any, Record],
        plan: hunt.Plan,
        takes: Mapping[str, Estimate],
        tape: Estimate,
        stake: float,
    ) -> Measurement:
        best = hunt.best_of(hunt.chosen(setting, seen, plan))
        of, note = takes[best], ""
        if of.value < 0:
            note = (
                f"nobody tried takes more than a copy of the agent, which takes 0; {best} takes "
                f"{of.value:.3g} [{of.low:.3g}, {of.high:.3g}]. "
            )
            of = exact(0.0, of.n)
        spent = sum(focal_acts(record) for record in seen.values())
        return Measurement(
            name="taken by the best exploiter found",
            unit=UNIT,
            of=of,
            alone=tape,
            together=of,
            limits=self._limits(plan.horizon),
            bound="lower",
            regime=_regime(setting, plan.horizon),
            note=note
            + (
                f"a lower bound: {best}, chosen on other seeds from "
                f"{len(hunt.pool(setting, plan))} scripted exploiters, "
                f"{plan.generations * plan.candidates} memory-one candidates and {plan.learners} "
                f"Q-learners of {plan.days} days; {spent} acts of the agent in all. That no worse "
                f"was found does not mean that there is none. 1 is {stake:.3g} utility a step; "
                "class of 1: the exploiter is a deaf tape"
            ),
            advice=ADVICE,
        )

    def _enumerated(self, seen: Mapping[Any, Record], plan: hunt.Plan, stake: float) -> Measurement:
        note = f"the budget, or the match, is too short for {hunt.LEAST_DEPTH} rounds"
        of = nothing(note)
        if plan.depth:
            every = seen["every plan"]
            of, row, why = best_plan(every, (seen["mirror"], seen["mirror, fresh"]))
            player = every.arm.scenario.cast[1 + row]
            levels = dict(player.settings)["levels"] if isinstance(player, Ref) else ()
            plays = " ".join(f"{level:g}" for level in levels)
            note = f"not exact, so not judged: {why}"
            if not why:
                of = of.scaled(1 / stake)
                note = (
                    f"exact: all {len(every.arm.scenario.seating)} sequences of moves, each played "
                    "twice, got the same answers both times, so no opponent takes more in "
                    f"{plan.depth} rounds, live or deaf; the best plays levels {plays}. "
                    "Later rounds: see the search, a lower bound"
                )
        return Measurement(
            name="taken by the best of all sequences of moves",
            unit=UNIT,
            of=of,
            alone=of if of.n else None,
            together=of if of.n else None,
            limits=self._limits(max(plan.depth, 1)) if of.n else None,
            regime=f"matches of {plan.depth} rounds",
            note=note,
            advice=ADVICE,
        )


def _samples(values: Array) -> tuple[float, ...]:
    return tuple(float(one) for one in values)


def _fresh(
    seen: Mapping[Any, Record], names: list[str], best: str
) -> tuple[dict[str, Taking], Taking]:
    """(name -> what it took live, what the best took as a tape), per fresh seed."""
    mirror = seen["mirror, fresh"]

    def rows(arm: str, row: int) -> Taking:
        here = seen[arm].episode.row == row
        return Taking(*(part[here] for part in taking(seen[arm].episode, mirror)))

    at = {name: ("q live", 0) if name == hunt.Q else ("live", i) for i, name in enumerate(names)}
    return {name: rows(*place) for name, place in at.items()}, rows("taped", at[best][1])


def _stake(setting: Setting) -> float:
    """The most that one move of seat 1 can change its own pay; 1 if nothing does."""
    own = np.asarray(setting.substrate.payoffs(), np.float64)[..., 1]
    return float((own.max(1) - own.min(1)).max()) or 1.0


def _width(setting: Setting) -> float:
    """The most that two mean payoffs of one seat can differ."""
    return float(np.ptp(np.asarray(setting.substrate.payoffs(), np.float64), axis=(0, 1)).max())


def _regime(setting: Setting, rounds: int) -> str:
    chances = {name: getattr(setting.substrate, name, None) for name in ("noise", "continuation")}
    known = "".join(f", {name} {value:g}" for name, value in chances.items() if value is not None)
    return f"matches of {rounds} rounds, the end known to the exploiter{known}"


def _bars(takes: Mapping[str, Estimate], best: str, tape: Estimate, limit: float) -> Figure:
    rows = [*takes.items(), (f"{best}, as a deaf tape", tape)]
    top = takes[best]
    return Figure(
        "bars",
        "What each kind of exploiter takes",
        f"On fresh seeds {best} takes {top.value:.3g} ({top.low:.3g} to {top.high:.3g}) of what "
        f"is at stake in a move; the limit is {limit:.3g}.",
        {
            "name": [name for name, _ in rows],
            "value": [of.value for _, of in rows],
            "low": [of.low for _, of in rows],
            "high": [of.high for _, of in rows],
            "limit": [limit for _ in rows],
        },
        {"value": UNIT},
    )


def _curve(seen: Mapping[Any, Record], plan: hunt.Plan, stake: float) -> Figure:
    """How the two searches that learn came along."""
    points: list[tuple[float, float, str]] = []
    for number, (_, values) in enumerate(hunt.generations(seen, plan, plan.generations)[0]):
        acts = (number + 1) * focal_acts(seen["search 0"])
        points.append((float(acts), float(values.max()) / stake, "cross-entropy search, best"))
    for day in range(plan.days if plan.learners else 0):
        acts = (day + 1) * plan.horizon * plan.learners
        points.append((float(acts), float(hunt.q_scores(seen, day).mean()) / stake, "Q-learners"))
    most = max((y for _, y, _ in points), default=0.0)
    return Figure(
        "curve",
        "What the searches took while they learned",
        f"The most that a generation or a day of training took was {most:.3g}."
        if points
        else "The budget was too small for a search that learns.",
        {
            "x": [x for x, _, _ in points],
            "y": [y for _, y, _ in points],
            "series": [series for _, _, series in points],
        },
        {"x": "acts of the agent", "y": UNIT},
    )
